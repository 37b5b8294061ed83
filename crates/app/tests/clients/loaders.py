"""A pull worker as ADC is: no `client_info`, four loaders that each reserve batches ahead in a row, a GPU that takes them in
turn over the loaders, and a post in the background, so that what was computed last is not yet posted when it dies. It
works off one job, paced by `--pace`, and ends when it gets nothing more. On the image `--killer` it dies, killed as by
the kernel. Nothing but the standard library is used.
"""

import argparse
import itertools
import json
import os
import signal
import time
import urllib.request

SLUG = "bare"
LOADERS = 4


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--url", "--token", "--job"):
        parser.add_argument(name, required=True)
    parser.add_argument("--killer", default="")
    parser.add_argument("--ahead", type=int, default=4, help="batches that each loader holds")
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--pace", type=float, default=0, help="seconds a batch")
    args = parser.parse_args()
    roots = itertools.cycle(args.url.split(","))

    def ask(path, body):
        request = urllib.request.Request(f"{next(roots)}/api/v2/jobs/{args.job}/{path}/", json.dumps(body).encode())
        request.add_header("Authorization", "Token " + args.token)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def reserve():
        return ask("tasks", {"batch_size": args.batch})["tasks"]

    def result(task):
        image = {"id": task["image_id"], "url": task["image_url"]}
        return {"pipeline": SLUG, "algorithms": {}, "total_time": 0.1, "source_images": [image], "detections": []}

    def post(batch):
        if batch:
            results = [{"reply_subject": task["reply_subject"], "result": result(task)} for task in batch]
            answer = ask("result", {"results": results})
            assert answer["results_queued"] == len(batch), answer

    loaders = [[] for _ in range(LOADERS)]

    def fill(loader):
        while len(loader) < args.ahead:
            tasks = reserve()
            if not tasks:
                return
            loader.append(tasks)

    for loader in loaders:
        fill(loader)
    posting = []
    while any(loaders):
        for loader in loaders:
            if not loader:
                continue
            batch = loader.pop(0)
            if any(args.killer and task["image_url"].endswith(args.killer) for task in batch):
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(args.pace)
            post(posting)
            posting = batch
            fill(loader)
    post(posting)


if __name__ == "__main__":
    main()
