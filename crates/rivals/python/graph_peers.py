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


class Usearch:
    """usearch, M 16, ef 200."""

    def __init__(self, base, metric):
        from usearch.index import Index

        metric = "l2sq" if metric == "l2" else "ip"
        self.index = Index(ndim=base.shape[1], metric=metric, dtype="f32", connectivity=16, expansion_add=200)
        self.index.add(numpy.arange(len(base)), base, threads=1)

    def search(self, queries, ef):
        self.index.expansion_search = max(ef, K)
        return self.index.search(queries, K, threads=1).keys


class Scann:
    """ScaNN: a tree of 2 sqrt(n) leaves (SOAR under inner products), anisotropic codes of 4 bits, rows reordered."""

    def __init__(self, base, metric):
        import scann

        is_l2 = metric == "l2"
        builder = scann.scann_ops_pybind.builder(base, K, "squared_l2" if is_l2 else "dot_product")
        spill = {} if is_l2 else {"soar_lambda": 1.5, "overretrieve_factor": 1.8}
        leaves = int(2 * len(base) ** 0.5)
        builder = builder.tree(
            num_leaves=leaves, num_leaves_to_search=K, training_sample_size=min(len(base), 250_000), **spill
        )
        builder = builder.score_ah(2, anisotropic_quantization_threshold=float("nan") if is_l2 else 0.2).reorder(100)
        builder.set_n_training_threads(1)
        self.index = builder.build()

    def search(self, queries, ef):
        # Half as many leaves as others have rows in their beams, and twice as many rows, span the same recalls.
        return self.index.search_batched(
            queries,
            final_num_neighbors=K,
            leaves_to_search=max(2, ef // 2),
            pre_reorder_num_neighbors=min(200, max(30, 2 * ef)),
        )[0]


class QdrantEdge:
    """qdrant-edge, M 16, ef 200, one search thread, all queries in one call."""

    def __init__(self, base, metric):
        import tempfile

        import qdrant_edge as q

        self.folder = tempfile.TemporaryDirectory()
        self.q, pinned = q, q.Memory.Pinned
        config = q.EdgeConfig(
            vectors=q.EdgeVectorParams(
                size=base.shape[1],
                distance=q.Distance.Euclid if metric == "l2" else q.Distance.Cosine,
                memory=pinned,
            ),
            hnsw_config=q.HnswIndexConfig(
                m=16, ef_construct=200, full_scan_threshold=10_000, max_indexing_threads=1, memory=pinned
            ),
            optimizers=q.EdgeOptimizersConfig(
                default_segment_number=1, indexing_threshold=1_000, max_segment_size=10_000_000
            ),
            max_search_threads=1,
        )
        self.shard = q.EdgeShard.create(self.folder.name, config)
        for start in range(0, len(base), 1_000):
            rows = base[start : start + 1_000].tolist()
            points = [q.Point(start + n, row, {}) for n, row in enumerate(rows)]
            self.shard.update(q.UpdateOperation.upsert_points(points))
        self.shard.optimize()

    def search(self, queries, ef):
        params = self.q.SearchParams(hnsw_ef=max(ef, K))
        asked = [self.q.QueryRequest(limit=K, query=self.q.Query.Nearest(row.tolist()), params=params) for row in queries]
        found = self.shard.query_batch(self.q.QueryBatchRequest(asked))
        # One that finds fewer is filled with a row that does not exist.
        return [[point.id for point in points] + [2**32 - 1] * (K - len(points)) for points in found]


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
    "usearch": Usearch,
    "scann": Scann,
    "qdrant-edge": QdrantEdge,
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
