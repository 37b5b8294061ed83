"""A pull worker on whose GPU one image can't be run. It computes a whole batch before it posts, as ADC does. Where that
image is in the batch, it dies of it (`--mode die`: killed, as by the kernel), or reports the crash on each image of the
batch (`--mode report`). It ends by itself when its job has ended. Nothing but the standard library is used.
"""

import argparse
import itertools
import json
import os
import signal
import urllib.request
import uuid

SLUG = "dying"
NOW = "2024-06-23T05:00:07.123456"
FINAL = ("SUCCESS", "FAILURE", "REVOKED")


def main():
    parser = argparse.ArgumentParser()
    for name in ("--url", "--token", "--job", "--killer", "--mode"):
        parser.add_argument(name, required=True)
    args = parser.parse_args()
    # Several roots, separated by commas, are asked in turn.
    roots = itertools.cycle(args.url.split(","))
    # Each life is a process of its own.
    info = {"hostname": "gpu-1", "software": "dying", "instance": uuid.uuid4().hex}

    def ask(method, path, body=None):
        request = urllib.request.Request(next(roots) + "/api/v2" + path, method=method)
        request.add_header("Authorization", "Token " + args.token)
        if body is not None:
            request.add_header("Content-Type", "application/json")
            body = json.dumps(body).encode()
        with urllib.request.urlopen(request, body, timeout=60) as answer:
            return json.loads(answer.read())

    def result(task, crashed):
        if crashed:
            return {"error": "Batch processing error: CUDA out of memory", "image_id": task["image_id"]}
        image = {"id": task["image_id"], "url": task["image_url"]}
        return {"pipeline": SLUG, "algorithms": {}, "total_time": 0.1, "source_images": [image], "detections": []}

    while ask("GET", f"/jobs/{args.job}/")["status"] not in FINAL:
        claim = {"pipelines": [SLUG], "batch_size": 24, "wait_seconds": 2, "client_info": info}
        tasks = ask("POST", "/tasks/claim/", claim)["tasks"]
        if not tasks:
            continue
        crashed = any(task["image_url"].endswith(args.killer) for task in tasks)
        if crashed and args.mode == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        results = [{"reply_subject": t["reply_subject"], "result": result(t, crashed)} for t in tasks]
        answer = ask("POST", f"/jobs/{args.job}/result/", {"results": results})
        assert answer["results_queued"] == len(tasks), answer


if __name__ == "__main__":
    main()
