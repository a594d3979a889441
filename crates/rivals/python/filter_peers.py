"""qdrant-edge with an index of payloads, asked line by line so that it and ours take turns.

usage: filter_peers.py BASE.npy QUERY.npy METRIC QUERIES TAGS
TAGS has a line for each field: its name, and for each row 1 when its value is "in", 0 when it is "out".
Reads `build qdrant-edge` and `search qdrant-edge:FIELD EF` lines (`qdrant-edge-batch` for all queries in one call, which shares
the reading of rows among them), answers each with one JSON object. One search thread; times are CPU seconds of this process.
"""

import json
import os
import sys
import tempfile
import time

import numpy
import qdrant_edge as q

K = 10
CHUNK = 1_000


def build(base, metric, tags, folder):
    config = q.EdgeConfig(
        vectors=q.EdgeVectorParams(
            size=base.shape[1],
            distance=q.Distance.Euclid if metric == "l2" else q.Distance.Cosine,
            memory=q.Memory.Pinned,
        ),
        hnsw_config=q.HnswIndexConfig(
            m=16, ef_construct=200, full_scan_threshold=10_000, max_indexing_threads=1, memory=q.Memory.Pinned
        ),
        optimizers=q.EdgeOptimizersConfig(default_segment_number=1, indexing_threshold=1_000, max_segment_size=10_000_000),
        max_search_threads=1,
        payload_memory=q.Memory.Cached,
    )
    shard = q.EdgeShard.create(folder, config)
    for field in tags:
        schema = q.PayloadSchemaType.Keyword
        shard.update(q.UpdateOperation.create_field_index(field, schema))
    for start in range(0, len(base), CHUNK):
        points = [
            q.Point(n, base[n].tolist(), {field: "in" if tag[n] == "1" else "out" for field, tag in tags.items()})
            for n in range(start, min(start + CHUNK, len(base)))
        ]
        shard.update(q.UpdateOperation.upsert_points(points))
    shard.optimize()
    shard.flush()
    return shard


def search(shard, queries, field, ef, is_batch):
    condition = q.FieldCondition(field, match=q.MatchValue("in"))
    requests = [
        q.QueryRequest(
            limit=K,
            query=q.Query.Nearest(query),
            filter=q.Filter(must=[condition]),
            params=q.SearchParams(hnsw_ef=max(ef, K)),
        )
        for query in queries
    ]
    start = time.process_time()
    if is_batch:
        found = shard.query_batch(q.QueryBatchRequest(requests))
    else:
        found = [shard.query(request) for request in requests]
    seconds = time.process_time() - start
    return seconds, [[point.id for point in points] for points in found]


def main():
    base_path, query_path, metric, count, tags_path = sys.argv[1:6]
    base = numpy.ascontiguousarray(numpy.load(base_path), numpy.float32)
    queries = numpy.load(query_path).astype(numpy.float32)[: int(count)].tolist()
    with open(tags_path, encoding="ascii") as lines:
        tags = dict(line.split() for line in lines)
    shard = None
    with tempfile.TemporaryDirectory() as folder:
        for line in sys.stdin:
            words = line.split()
            try:
                if words[0] == "build":
                    start = time.process_time()
                    shard = build(base, metric, tags, folder)
                    said = {"seconds": time.process_time() - start, "bytes": 0.0}
                else:
                    peer, field = words[1].split(":")
                    seconds, ids = search(shard, queries, field, int(words[2]), peer.endswith("batch"))
                    said = {"seconds": seconds, "ids": ids}
            except Exception as error:  # a peer that fails costs only its own figures
                said = {"error": repr(error)}
            print(json.dumps(said), flush=True)
        if shard is not None:
            shard.close()


if __name__ == "__main__":
    main()
