#!/usr/bin/env python3
"""Tells synchroniser that something has changed in a Mercurial repository: a hook of Mercurial.

  [hooks]
  txnclose.synchroniser = /usr/share/synchroniser/hg-hook.py URL SECRET_FILE [MAPPING]

It does what hg-hook does, with nothing but Python 3:

URL          the endpoint, such as https://sync.example.org/hook/hg, of the format `synchroniser`
SECRET_FILE  a file with the endpoint's secret, which whoever pushes here must be able to read
MAPPING      the name of the mirror, or the address of its source; without it the path of the repository,
             for a synchroniser on the same machine

It signs and sends in the background and always ends with 0: no push waits for it or fails by it. What
goes wrong is told to syslog.
"""

import hashlib
import hmac
import json
import os
import sys
import syslog
import time
import urllib.error
import urllib.request

PATIENCE = 10  # seconds for one try
PAUSES = (1, 2, 4, 8, None)  # seconds between tries


def complain(text):
    syslog.openlog("synchroniser-hg-hook")
    syslog.syslog(syslog.LOG_ERR, text)


def request(url, secret_file, mapping):
    """The signed request."""

    def said(name):
        return os.environ.get(name, "")

    with open(secret_file, encoding="utf-8") as file:
        secret = file.read().strip("\r\n")
    if not secret:
        raise ValueError("the secret is empty")
    body = {
        "schema": "synchroniser/1",
        "event": "push",
        "mapping": mapping,
        "vcs": "hg",
        "node": said("HG_NODE"),
        "node_last": said("HG_NODE_LAST"),
        "source": said("HG_SOURCE"),
        "txnid": said("HG_TXNID"),
        "bookmark_moved": said("HG_BOOKMARK_MOVED") == "1",
        "phases_moved": said("HG_PHASES_MOVED") == "1",
    }
    body = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
    headers = {
        "Content-Type": "application/json",
        "X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
        "Idempotency-Key": said("HG_TXNID") or str(os.getpid()),
    }
    return urllib.request.Request(url, data=body, headers=headers, method="POST")


def send(url, secret_file, mapping):
    try:
        signed = request(url, secret_file, mapping)
    except (OSError, ValueError) as error:
        complain("cannot use the secret in %s: %s" % (secret_file, error))
        return
    for pause in PAUSES:
        try:
            urllib.request.urlopen(signed, timeout=PATIENCE).close()
            return
        except urllib.error.HTTPError as error:
            problem = error
            if error.code < 500 and error.code != 429:
                break
        except (OSError, ValueError) as error:
            problem = error
        if pause is not None:
            time.sleep(pause)
    complain("cannot tell %s of a push to %s: %s" % (url, mapping, problem))


def main():
    if len(sys.argv) < 3:
        print("synchroniser: usage: hg-hook.py URL SECRET_FILE [MAPPING]", file=sys.stderr)
        return
    url, secret_file = sys.argv[1:3]
    mapping = sys.argv[3] if len(sys.argv) > 3 else os.getcwd()
    # Whoever pushes waits until all is closed that it could hear something from.
    if os.fork() > 0:
        return
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    try:
        send(url, secret_file, mapping)
    except Exception as error:  # nobody else hears of it
        complain("cannot tell of a push: %r" % error)
    os._exit(0)


if __name__ == "__main__":
    main()
