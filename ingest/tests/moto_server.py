"""moto's S3 server, with a promise that S3 makes and moto does not keep: a conditional put is decided and made in one step.

moto looks whether the object is there, and stores it some lines later, each request in a thread of its own. Two writers
that come in between are both told that they were the first, and one's object is lost. Every put waits for the one before.
"""

import sys
import threading

from moto.s3.responses import S3Response
from moto.server import main

_turn = threading.Lock()
_put_object = S3Response.put_object


def put_object(self):
    with _turn:
        return _put_object(self)


S3Response.put_object = put_object

if __name__ == "__main__":
    sys.exit(main())
