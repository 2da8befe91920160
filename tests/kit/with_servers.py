"""`python -m tests.kit.with_servers COMMAND ...`: runs COMMAND with a fresh PostgreSQL, Redis and S3 server.

The environment holds their addresses, as packshot's settings and the vendor's variables:

    python -m tests.kit.with_servers python -m bench.load --inherit --minutes 4
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.kit.postgres import postgres_server
from tests.kit.redis import redis_server
from tests.kit.s3 import s3_server

BUCKET = "packshot"


def main() -> int:
    try:
        with postgres_server() as database, redis_server() as redis, s3_server() as s3:
            s3.make_bucket(BUCKET)
            settings = {
                "PACKSHOT_DATABASE_URL": database.new_database(),
                "PACKSHOT_RATE_LIMIT_URL": redis.url,
                "PACKSHOT_RATE_LIMIT": "100000/second",
                "PACKSHOT_RESULTS_URL": f"s3://{BUCKET}/results",
            }
            return subprocess.run(sys.argv[1:], env=os.environ | s3.environment | settings, check=False).returncode
    except pytest.skip.Exception as reason:
        print(f"cannot be started: {reason.msg}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
