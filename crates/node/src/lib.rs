//! Lanes, log and collection composed on one machine, and the facts they give to answers.
