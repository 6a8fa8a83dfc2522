"""From upload to ready, warm, by HTTP: python benchmarks/upload_to_ready.py [DATA_DIR] [uploads]

Asks the platform that `python3 run.py` has started in DATA_DIR (.data): web, worker, runner and
stores as they are. Each upload is a new pipeline, so that nothing is found already done.
"""

import io
import json
import statistics
import sys
from pathlib import Path
from time import perf_counter, sleep
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import joblib
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.measuring import Table
from mlplatform.embedded.demo import Api

POLL_SECONDS = 0.05  # polls count against the rate limit of 100 a minute
WARM_UP = 1


def pipeline(seed: int) -> bytes:
    rows, labels = make_classification(300, 8, random_state=seed)
    out = io.BytesIO()
    joblib.dump(make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, labels), out)
    return out.getvalue()


def seconds_to_ready(api: Api, content: bytes) -> float:
    name = f"bench-{uuid4().hex[:12]}"
    started = perf_counter()
    answer = api.upload(
        "/api/v1/models/upload", {"name": name}, name="model.joblib", content=content
    )
    while (version := api.get(answer["status_url"]))["status"] != "ready":
        assert version["status"] != "rejected", version["reason"]
        sleep(POLL_SECONDS)
    return perf_counter() - started


def main(data: Path, uploads: int) -> int:
    api = Api(json.loads((data / "state.json").read_text())["url"])
    api.headers = {"X-API-Key": json.loads((data / "demo.json").read_text())["api_key"]}
    table = Table()
    start = int(perf_counter() * 1000) % 1_000_000
    contents = [pipeline(start + number) for number in range(WARM_UP + uploads)]
    taken = [seconds_to_ready(api, content) for content in contents][WARM_UP:]
    median = statistics.median(taken)
    table.add(
        f"upload to ready, a small pipeline, median of {uploads} (slowest {max(taken):.2f} s)",
        f"{median:.2f} s",
        "< 1.5 s",
        met=median < 1.5,
    )
    return len(table.missed)


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(".data")
    sys.exit(main(folder, int(sys.argv[2]) if len(sys.argv) > 2 else 4))
