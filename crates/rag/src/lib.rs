//! Question to cited answer: chunk, ingest, query, fuse, context, cite, abstain, receipt.
