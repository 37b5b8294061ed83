"""A pull worker in another language, written from the wire contract alone: it asks as ADC asks, and checks the shape of
every answer as strictly as ADC's pydantic models do. With a seed it also misbehaves: it drops results, sends posts
twice, late and out of order, and reports errors.

It works until its standard input is closed, then posts what is still to be posted late, and prints what it saw as one
JSON object: each hand-out, and each result that the server answered for. Nothing but the standard library is used.
"""

import argparse
import http.client
import itertools
import json
import queue
import random
import sys
import threading
import time
import urllib.parse
import zlib

SLUG = "adc_like"
DETECTOR = {"name": "Box drawer", "key": "adc_like_detector"}
CLASSIFIER = {"name": "Coin tosser", "key": "adc_like_classifier"}
LABELS = ["moth", "nonmoth"]
NOW = "2024-06-23T05:00:07.123456"
POSTERS = 2
PENDING_POSTS = 5


class WrongShape(Exception):
    """An answer at which an unmodified worker would break."""


def need(value, kind, where):
    # A bool is an int to Python and none to pydantic.
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise WrongShape(f"{where} is no {kind.__name__}: {value!r}")
    return value


class Api:
    """One connection per thread and host, as in a pool. Several hosts are asked in turn, as by a balancer before them. A GET
    is tried again, a POST never is."""

    def __init__(self, urls, token):
        self.hosts = itertools.cycle([urllib.parse.urlsplit(url).netloc for url in urls.split(",")])
        self.token = token
        self.local = threading.local()

    def ask(self, method, path, body, timeout):
        connections = self.local.__dict__
        host = next(self.hosts)
        connection = connections.get(host)
        if connection is None:
            connection = connections[host] = http.client.HTTPConnection(host)
        connection.timeout = timeout
        headers = {"Authorization": f"Token {self.token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, f"/api/v2{path}", body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            del connections[host]
            raise

    def get(self, path):
        for pause in (0, 1, 2, None):
            try:
                status, body = self.ask("GET", path, None, 30)
                if status not in (500, 502, 503, 504) or pause is None:
                    return status, json.loads(body)
            except (OSError, http.client.HTTPException):
                if pause is None:
                    raise
            time.sleep(pause)

    def post(self, path, value, timeout):
        status, body = self.ask("POST", path, json.dumps(value), timeout)
        try:
            return status, json.loads(body)
        except ValueError as error:
            raise WrongShape(f"the answer to POST {path} is no JSON: {body[:200]!r}") from error


class Report:
    """What the server is held to."""

    def __init__(self):
        self.lock = threading.Lock()
        self.taken = threading.Condition(self.lock)
        self.handed_out = {}
        self.answered = []
        self.problems = []
        self.most_held = 0
        self.held = 0
        self.counts = {"posts": 0, "dropped": 0, "late": 0, "duplicated": 0, "reordered": 0, "errors": 0}

    def problem(self, text):
        print(text, file=sys.stderr, flush=True)
        with self.lock:
            self.problems.append(text)

    def count(self, what, by=1):
        with self.lock:
            self.counts[what] += by

    def take(self, tasks):
        with self.lock:
            self.held += 1
            self.most_held = max(self.most_held, self.held)
            for task in tasks:
                self.handed_out[task["image_id"]] = self.handed_out.get(task["image_id"], 0) + 1
            self.taken.notify_all()

    def wait_until_held(self, count):
        """A model that takes its time: meanwhile the loaders fetch ahead."""
        with self.taken:
            if not self.taken.wait_for(lambda: self.most_held >= count, 20):
                self.problems.append(f"only {self.most_held} of {count} batches could be held ahead")

    def release(self):
        with self.lock:
            self.held -= 1

    def print(self):
        names = ("handed_out", "answered", "problems", "most_held", "counts")
        print(json.dumps({name: getattr(self, name) for name in names}))


def registration():
    def algorithm(which, task_type, category_map):
        unset = {"description": None, "version_name": None, "uri": None}
        return {**which, **unset, "task_type": task_type, "version": 1, "category_map": category_map}

    data = [{"label": label, "index": index} for index, label in enumerate(LABELS)]
    category_map = {"data": data, "labels": LABELS, "version": "v1", "description": None, "uri": None}
    algorithms = [algorithm(DETECTOR, "localization", None), algorithm(CLASSIFIER, "classification", category_map)]
    pipeline = {"name": "ADC-like", "slug": SLUG, "version": 1, "description": None, "algorithms": algorithms, "stages": []}
    return {"processing_service_name": "AMI Data Companion (test)", "pipelines": [pipeline]}


def register(api, project):
    status, body = api.post(f"/projects/{project}/pipelines/", registration(), 60)
    if status != 201 or body.get("success") is not True:
        raise WrongShape(f"registration: {status} {body}")
    for name in ("pipelines_created", "pipelines_updated"):
        for slug in need(body.get(name, []), list, name):
            need(slug, str, name)


def poll(api):
    query = f"pipeline__slug__in={SLUG}&ids_only=1&incomplete_only=1&dispatch_mode=async_api"
    status, body = api.get(f"/jobs?{query}")
    if status != 200:
        raise WrongShape(f"poll: {status} {body}")
    rows = need(need(body, dict, "the poll").get("results"), list, "results")
    for row in rows:
        need(row.get("id"), int, "id of a job")
        need(row.get("pipeline_slug"), str, "pipeline_slug")
    return [row["id"] for row in rows]


def fetch(api, job, batch_size):
    status, body = api.post(f"/jobs/{job}/tasks/", {"batch_size": batch_size}, 30)
    if status != 200:
        raise WrongShape(f"tasks: {status} {body}")
    tasks = need(body.get("tasks"), list, "tasks")
    for task in tasks:
        for name in ("id", "image_id", "image_url", "reply_subject"):
            need(task.get(name), str, f"{name} of a task")
    images = [task["image_id"] for task in tasks]
    if len(set(images)) < len(images):
        raise WrongShape(f"an image is twice in one answer: {sorted(images)}")
    if len(tasks) > batch_size:
        raise WrongShape(f"asked for {batch_size} tasks, got {len(tasks)}")
    return tasks


def detections(image_id):
    """None to three, always the same for an image, so that a result has one truth however often it is computed."""
    found = []
    for at in range(zlib.crc32(image_id.encode()) % 4):
        score = 0.5 + at / 8
        verdict = {"classification": "moth", "labels": None, "scores": [score, 1 - score], "logits": [4.1, 0.2],
                   "inference_time": 0.0, "algorithm": CLASSIFIER, "terminal": True, "timestamp": NOW}
        box = {"x1": 10.0 * at, "y1": 20.5, "x2": 10.0 * at + 8.25, "y2": 220.75}
        found.append({"source_image_id": image_id, "bbox": box, "inference_time": 0.0, "algorithm": DETECTOR,
                      "timestamp": NOW, "crop_image_url": None, "classifications": [verdict]})
    return found


def success(task):
    image = {"id": task["image_id"], "url": task["image_url"]}
    result = {"pipeline": SLUG, "algorithms": {}, "total_time": 0.42, "source_images": [image],
              "detections": detections(task["image_id"]), "config": {"example_config_param": None}}
    return {"reply_subject": task["reply_subject"], "result": result}


def failure(task, named):
    result = {"error": f"failed to load image {task['image_id']}", "image_id": task["image_id"] if named else None}
    return {"reply_subject": task["reply_subject"], "result": result}


class Poster:
    """Posts each batch once, from two threads; an answer of a wrong shape is noted, and nothing is tried again."""

    def __init__(self, api, report):
        self.api = api
        self.report = report
        self.pending = queue.Queue(PENDING_POSTS)
        for _ in range(POSTERS):
            threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            job, tasks, items = self.pending.get()
            try:
                self.post(job, tasks, items)
            except (WrongShape, OSError, http.client.HTTPException) as error:
                self.report.problem(f"result: {error!r}")
            self.pending.task_done()

    def post(self, job, tasks, items):
        status, body = self.api.post(f"/jobs/{job}/result/", {"results": items}, 60)
        if status != 200:
            raise WrongShape(f"{status} {body}")
        need(body.get("status"), str, "status")
        answers = need(body.get("tasks"), list, "tasks of an answer")
        for answer in answers:
            for name in ("reply_subject", "status", "task_id"):
                need(answer.get(name), str, f"{name} of an answer")
        echoed = [answer["reply_subject"] for answer in answers]
        if echoed != [item["reply_subject"] for item in items]:
            raise WrongShape("the answers are not the items, in their order")
        queued = sum(answer["status"] == "queued" for answer in answers)
        if need(body.get("job_id"), int, "job_id") != job or need(body.get("results_queued"), int, "queued") != queued:
            raise WrongShape(f"the answer does not count itself: {body}")
        self.report.count("posts")
        with self.report.lock:
            for task, item, answer in zip(tasks, items, answers):
                self.report.answered.append(answered(task, item["result"], answer["status"]))


def answered(task, result, status):
    boxes = [list(found["bbox"].values()) for found in result.get("detections", [])]
    return {"image_id": task["image_id"], "status": status, "error": result.get("error"), "boxes": boxes}


class Mischief:
    """Decides, from a seed, what becomes of each result and post on its way."""

    def __init__(self, args, poster, report):
        self.args = args
        self.random = random.Random(args.seed)
        self.poster = poster
        self.report = report
        self.held_back = None
        self.timers = []

    def send(self, job, tasks):
        kept, late = [], []
        for task in tasks:
            dice = self.random.random()
            if dice < self.args.drop:
                self.report.count("dropped")
                continue
            item = success(task)
            if self.random.random() < self.args.error:
                item = failure(task, self.random.random() < 0.5)
                self.report.count("errors")
            (late if dice < self.args.drop + self.args.late else kept).append((task, item))
        if late:
            self.report.count("late", len(late))
            self.later(job, late, max(task.get("lease_seconds", 0) for task, _ in late))
        if self.random.random() >= self.args.reorder:
            self.put(job, kept)
            self.flush()
            return
        # Shuffled, and sent after the one that comes next.
        self.report.count("reordered")
        self.random.shuffle(kept)
        self.flush()
        self.held_back = (job, kept)

    def put(self, job, pairs):
        if not pairs:
            return
        post = (job, [task for task, _ in pairs], [item for _, item in pairs])
        self.poster.pending.put(post)
        if self.random.random() < self.args.duplicate:
            self.report.count("duplicated")
            self.poster.pending.put(post)

    def flush(self):
        held, self.held_back = self.held_back, None
        if held:
            self.put(*held)

    def later(self, job, pairs, lease_seconds):
        post = (job, [task for task, _ in pairs], [item for _, item in pairs])
        timer = threading.Timer(lease_seconds + self.args.late_by, self.poster.pending.put, (post,))
        timer.start()
        self.timers.append(timer)

    def finish(self):
        self.flush()
        for timer in self.timers:
            timer.join()


def load(api, report, args, job, batches, room):
    """A DataLoader process: fetches ahead until the first empty answer, or any error."""
    try:
        while True:
            room.acquire()
            tasks = fetch(api, job, args.batch_size)
            if not tasks:
                return
            report.take(tasks)
            batches.put((tasks, room))
    except (WrongShape, OSError, http.client.HTTPException) as error:
        report.problem(f"tasks: {error!r}")
    finally:
        batches.put(None)


def work(api, report, args, job, mischief):
    """One job to exhaustion; whether it yielded anything."""
    batches = queue.Queue()
    for _ in range(args.fetchers):
        room = threading.Semaphore(args.prefetch)
        threading.Thread(target=load, args=(api, report, args, job, batches, room), daemon=True).start()
    running, found = args.fetchers, False
    while running:
        batch = batches.get()
        if batch is None:
            running -= 1
            continue
        tasks, room = batch
        report.wait_until_held(args.hold_first)
        found = True
        mischief.send(job, tasks)
        report.release()
        room.release()
    mischief.flush()
    return found


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--project", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=24)
    parser.add_argument("--fetchers", type=int, default=4)
    parser.add_argument("--prefetch", type=int, default=4)
    parser.add_argument("--idle-seconds", type=float, default=5)
    parser.add_argument("--hold-first", type=int, default=0, help="batches to hold before the first result")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--late-by", type=float, default=2, help="seconds after the lease")
    for fault in ("drop", "late", "error", "duplicate", "reorder"):
        parser.add_argument(f"--{fault}", type=float, default=0, help="how probable, from 0 to 1")
    return parser.parse_args()


def main():
    args = arguments()
    api, report, stop = Api(args.url, args.token), Report(), threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    poster = Poster(api, report)
    mischief = Mischief(args, poster, report)
    register(api, args.project)
    print("registered", file=sys.stderr, flush=True)
    while not stop.is_set():
        try:
            jobs = poll(api)
        except (WrongShape, OSError, http.client.HTTPException) as error:
            report.problem(f"poll: {error!r}")
            jobs = []
        if not any([work(api, report, args, job, mischief) for job in jobs]):
            stop.wait(args.idle_seconds)
    mischief.finish()
    poster.pending.join()
    report.print()


main()
