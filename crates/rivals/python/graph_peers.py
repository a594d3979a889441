"""Indexes from PyPI, asked line by line so that they and ours take turns.

usage: graph_peers.py BASE.npy QUERY.npy METRIC QUERIES      (METRIC: l2, or cosine for rows of unit length)
Reads `build PEER [LISTS]` and `search PEER EF` lines, answers each with one JSON object. One thread; times are CPU seconds of this
process. Searches return the ids they found, all queries in one call, which is each peer's fastest way in Python.
"""

import json
import os
import sys
import time

for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(name, None)
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import numpy  # noqa: E402  (reads the environment above)

K = 10


class SymphonyQG:
    """rabitqlib's SymphonyQG, degree 32, ef 200. Unit rows rank by l2 as by cosine."""

    rows_bits = 0

    def __init__(self, base, metric):
        import rabitqlib

        self.index = rabitqlib.SymqgIndex(base.shape[1], 32, "l2", self.rows_bits)
        self.index.build(base, 200, 1)

    def search(self, queries, ef):
        return self.index.search(queries, K, max(ef, K), 1)[0]


class SymphonyQG8(SymphonyQG):
    """The same with rows of 8 bits."""

    rows_bits = 8


class Hnswlib:
    """hnswlib, M 16, ef 200."""

    def __init__(self, base, metric):
        import hnswlib

        self.index = hnswlib.Index("l2" if metric == "l2" else "ip", base.shape[1])
        self.index.init_index(len(base), M=16, ef_construction=200)
        self.index.set_num_threads(1)
        self.index.add_items(base)

    def search(self, queries, ef):
        self.index.set_ef(max(ef, K))
        return self.index.knn_query(queries, K, num_threads=1)[0]


class RabitqIvf:
    """rabitqlib's IVF, 5 bits, lists trained by its own k-means: the power of two below 4 sqrt(n) of them."""

    def __init__(self, base, metric, lists):
        import rabitqlib

        clusters = self.clusters(len(base), lists)
        means = rabitqlib.RaBitQKMeans(base.shape[1], clusters, num_threads=1)
        means.train(base)
        self.index = rabitqlib.IvfIndex(base.shape[1], len(base), clusters, 5, "l2")
        self.index.build(base, means.centroids, means.assignments, 1)

    @staticmethod
    def clusters(count, lists):
        return 1 << (int(4 * count**0.5).bit_length() - 1)

    def search(self, queries, probes):
        return self.index.search(queries, K, probes, num_threads=1)[0]


class RabitqIvfSame(RabitqIvf):
    """The same with as many lists as ours."""

    @staticmethod
    def clusters(count, lists):
        return lists


PEERS = {
    "symphonyqg": SymphonyQG,
    "symphonyqg8": SymphonyQG8,
    "hnswlib": Hnswlib,
    "rabitq-ivf": RabitqIvf,
    "rabitq-ivf-same": RabitqIvfSame,
}


def resident():
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main():
    base_path, query_path, metric, count = sys.argv[1:5]
    base = numpy.ascontiguousarray(numpy.load(base_path), numpy.float32)
    queries = numpy.ascontiguousarray(numpy.load(query_path), numpy.float32)[: int(count)]
    built = {}
    for line in sys.stdin:
        words = line.split()
        try:
            if words[0] == "build":
                before, start = resident(), time.process_time()
                built[words[1]] = PEERS[words[1]](base, metric, *map(int, words[2:]))
                said = {"seconds": time.process_time() - start, "bytes": (resident() - before) / len(base)}
            else:
                start = time.process_time()
                ids = built[words[1]].search(queries, int(words[2]))
                said = {"seconds": time.process_time() - start, "ids": numpy.asarray(ids)[:, :K].tolist()}
        except Exception as error:  # a peer that fails costs only its own figures
            said = {"error": repr(error)}
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
