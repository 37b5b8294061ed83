//! A store with a project, a pipeline and captures, and the verbs of a job in few words.

use std::{sync::Arc, time::Duration};

use trapline_core::{
    CaptureId, CollectionId, FailReason, JobId, JobStatus, PipelineId, ProjectId, Timestamp, TokenId,
    WorkerId,
    catalog::{AlgorithmSpec, CategoryMap, NewCapture, PipelineSpec, Registration},
    handout::lease::Gap,
    job::{Expect, JobMove},
    ports::{
        Beat, DetectionsOf, GrantRequest, Granted, GrantedTask, Job, LeasePolicy, NewJob, Posted, Pulse,
        QueueCounters, SettleReport, Settled, Settlement, Slice, Standing, Store, Swept, Want,
        WorkerIdentity,
    },
    receipt::Receipt,
    result::{BBox, Classification, Detection},
    timeline::Anchor,
};

use crate::ManualClock;

/// The world of a case. The lease is 60 s, its margin 4 s, the budget 2 strikes.
pub struct World {
    /// The store under test.
    pub store: Arc<dyn Store>,
    /// Its clock.
    pub clock: ManualClock,
    /// Whatever must live as long as the store.
    pub keep: Box<dyn std::any::Any + Send + Sync>,
}

/// Longer than a lease and its margin, in seconds.
pub(super) const DEATH: u64 = 65;

/// A task under a lease.
#[derive(Clone, Copy, Debug)]
pub struct Grant(pub Receipt);

const PROJECT: ProjectId = ProjectId(1);
const CLAIM: Duration = Duration::from_secs(30);

#[allow(missing_docs, reason = "each says in its name what it does")]
impl World {
    pub fn policy(&self) -> LeasePolicy {
        LeasePolicy {
            ttr: Duration::from_secs(60),
            margin: Duration::from_secs(4),
            max_deliver: 2,
        }
    }

    /// The time of the cluster: that of its clock, had it never been set.
    pub fn now(&self) -> Timestamp {
        self.clock.steady()
    }

    pub fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Every lease ends.
    pub async fn outlive(&self) {
        self.pass(DEATH);
        self.sweep().await;
    }

    /// Time passes while a node is up.
    pub async fn live(&self, seconds: u64) {
        for _ in 0..seconds {
            self.pass(1);
            self.beat().await;
        }
    }

    /// A heartbeat of a node that remembers none before it.
    pub async fn pulse(&self, first: bool) -> Beat {
        self.pulse_after(first, None).await
    }

    /// A heartbeat of a node, after another of it.
    pub async fn pulse_after(&self, first: bool, last: Option<Anchor>) -> Beat {
        let pulse = Pulse {
            first,
            grace: self.policy().ttr,
            clock: &self.clock,
            last,
        };
        self.store.heartbeat(&pulse).await.unwrap()
    }

    pub async fn beat(&self) -> Option<Gap> {
        self.pulse(false).await.gap
    }

    /// A pipeline `p` with the algorithms `detector` and `classifier` (labels `a`, `b`).
    pub async fn pipeline(&self) -> PipelineId {
        self.pipeline_at(1).await
    }

    pub async fn pipeline_at(&self, version: i64) -> PipelineId {
        let algorithm = |key: &str, map: Option<CategoryMap>| AlgorithmSpec {
            key: key.to_owned(),
            version,
            name: key.to_owned(),
            task_type: None,
            description: None,
            version_name: None,
            uri: None,
            category_map: map,
        };
        let map = CategoryMap {
            labels: vec!["a".into(), "b".into()],
            data: vec![],
            version: None,
            description: None,
            uri: None,
        };
        let spec = PipelineSpec {
            slug: "p".into(),
            name: "P".into(),
            version: 1,
            description: String::new(),
            version_name: String::new(),
            algorithms: vec![algorithm("detector", None), algorithm("classifier", Some(map))],
            stages: serde_json::json!([]),
        };
        let registration = Registration {
            project: PROJECT,
            owner: None,
            service_name: "fleet".into(),
            instance: String::new(),
            endpoint_url: None,
            pipelines: vec![spec],
        };
        self.store.register(&registration).await.unwrap();
        self.store.pipeline_by_slug(PROJECT, "p").await.unwrap().unwrap()
    }

    /// A set of captures; `false` makes one without a URL.
    pub async fn set(&self, captures: &[bool]) -> CollectionId {
        let set = self.store.create_collection(PROJECT, "set").await.unwrap();
        let rows: Vec<NewCapture> = captures
            .iter()
            .enumerate()
            .map(|(at, has_url)| NewCapture {
                url: match has_url {
                    true => format!("https://x.test/{}/{at}.jpg", set.id),
                    false => String::new(),
                },
                ..NewCapture::default()
            })
            .collect();
        for slice in rows.chunks(1_000) {
            self.store.add_captures(set.id, slice).await.unwrap();
        }
        set.id
    }

    pub fn new_job(&self, pipeline: PipelineId, set: CollectionId) -> NewJob {
        NewJob {
            project: PROJECT,
            name: "job".into(),
            delay_seconds: 0,
            priority: 0,
            failure_threshold: 0.5,
            pipeline: Some(pipeline),
            collection: Some(set),
            capture: None,
            limit: None,
            shuffle: true,
            reprocess: false,
            job_type: "ml".into(),
            start: true,
            key: None,
        }
    }

    pub async fn create(&self, job: &NewJob) -> JobId {
        self.store.create_job(job, self.now()).await.unwrap()
    }

    /// A job of `n` captures, collected.
    pub async fn job_of(&self, n: usize) -> JobId {
        let (pipeline, set) = (self.pipeline().await, self.set(&vec![true; n]).await);
        let job = self.create(&self.new_job(pipeline, set)).await;
        self.collect().await;
        job
    }

    /// Claims and collects every job that waits for it.
    pub async fn collect(&self) {
        while let Some(mut claim) = self.store.claim_job(self.now(), CLAIM, 7).await.unwrap() {
            while let Slice::More(to) = self.store.collect_slice(&claim, self.now(), CLAIM).await.unwrap() {
                claim.watermark = to;
            }
        }
    }

    pub async fn job(&self, id: JobId) -> Job {
        self.store.job(id).await.unwrap().unwrap()
    }

    /// A worker that is known only by token and address.
    pub async fn worker(&self, address: &str) -> WorkerId {
        self.meet(address, None).await
    }

    /// A worker that is one process: its `client_info` says which.
    pub async fn process(&self, instance: &str) -> WorkerId {
        let info = serde_json::json!({ "instance": instance, "host": "h" });
        self.meet(instance, Some(info.to_string())).await
    }

    async fn meet(&self, instance: &str, client_info: Option<String>) -> WorkerId {
        let who = WorkerIdentity {
            token: TokenId(1),
            instance: instance.into(),
            name: instance.into(),
            client_info,
            service: None,
        };
        self.store.meet_worker(&who, self.now()).await.unwrap()
    }

    /// Hands out as a reserve does: up to `limit` free tasks, or else a suspect, or else a last try.
    pub async fn grant(&self, job: JobId, limit: usize, worker: &str) -> Vec<Grant> {
        let batch = self.grant_of(job, None, limit, worker).await;
        if !batch.is_empty() {
            return batch;
        }
        let suspect = self.grant_suspect(job, worker).await;
        if !suspect.is_empty() {
            return suspect;
        }
        self.grant_last_try(job, worker).await
    }

    /// Hands out a batch to a worker that is one process.
    pub async fn grant_process(&self, job: JobId, limit: usize, instance: &str) -> Vec<Grant> {
        let process = self.process(instance).await;
        self.hand_out(job, Want::Batch, None, limit, process).await.0
    }

    pub async fn grant_last_try(&self, job: JobId, worker: &str) -> Vec<Grant> {
        let worker = self.worker(worker).await;
        let want = Want::LastTry { only: true };
        self.hand_out(job, want, None, 10, worker).await.0
    }

    pub async fn grant_of(
        &self,
        job: JobId,
        candidates: Option<Vec<CaptureId>>,
        limit: usize,
        worker: &str,
    ) -> Vec<Grant> {
        let worker = self.worker(worker).await;
        self.hand_out(job, Want::Batch, candidates, limit, worker).await.0
    }

    pub async fn grant_suspect(&self, job: JobId, worker: &str) -> Vec<Grant> {
        let worker = self.worker(worker).await;
        self.hand_out(job, Want::Suspect, None, 10, worker).await.0
    }

    pub async fn hand_out(
        &self,
        job: JobId,
        want: Want,
        candidates: Option<Vec<CaptureId>>,
        limit: usize,
        worker: WorkerId,
    ) -> (Vec<Grant>, Granted) {
        let request = GrantRequest {
            fill: candidates.is_none(),
            candidates: candidates.unwrap_or_default(),
            ..self.request(job, want, limit, worker)
        };
        let granted = self.store.grant(&request).await.unwrap();
        let receipt = |t: &GrantedTask| Receipt {
            job,
            run: granted.run,
            capture: t.capture,
            delivery: t.delivery,
            worker,
            granted_at: request.now,
        };
        let receipts = granted.tasks.iter().map(|t| Grant(receipt(t))).collect();
        (receipts, granted)
    }

    pub async fn standing(&self, worker: WorkerId) -> Standing {
        let max_deliver = self.policy().max_deliver;
        self.store.standing(worker, max_deliver).await.unwrap()
    }

    pub async fn settle(&self, items: &[Settlement]) -> SettleReport {
        self.store.settle(items, self.now()).await.unwrap()
    }

    /// Posts a result with `n` detections, each classified.
    pub async fn succeed(&self, grant: Grant, n: usize) -> Settled {
        let items = [Settlement {
            receipt: grant.0,
            posted: Posted::Success(self.detections(n).await),
        }];
        self.settle(&items).await.items.remove(0)
    }

    pub async fn fail(&self, grant: Grant) -> Settled {
        self.settle(&[failure(grant)]).await.items.remove(0)
    }

    pub async fn detections(&self, n: usize) -> Vec<Detection> {
        let pipeline = self.store.pipeline_by_slug(PROJECT, "p").await.unwrap().unwrap();
        let pipeline = self.store.pipeline(None, pipeline).await.unwrap().unwrap();
        let [detector, classifier] = [pipeline.algorithms[0].id, pipeline.algorithms[1].id];
        (0..n)
            .map(|at| Detection {
                algorithm: detector,
                bbox: Some(BBox::new(at as f64 + 0.1, 0.0, at as f64 + 9.0, 9.0).unwrap()),
                at: self.now(),
                score: (at % 3 > 0).then_some(0.1 + at as f32),
                inference_seconds: None,
                crop_image_url: None,
                classifications: vec![Classification {
                    algorithm: classifier,
                    label: if at % 2 == 0 { "a" } else { "b" }.into(),
                    terminal: true,
                    score: Some(if at % 2 == 0 { 0.1 + at as f32 } else { 0.9 }),
                    labels: (at % 5 == 0).then(|| vec!["a \u{1f98b}".into(), "b".into()]),
                    scores: vec![0.1 + at as f32, 0.9],
                    logits: vec![],
                    at: self.now(),
                    inference_seconds: None,
                }],
            })
            .collect()
    }

    /// Sweeps until nothing is due.
    pub async fn sweep(&self) -> Swept {
        let mut all = Swept::default();
        loop {
            let (policy, now, counters) = (self.policy(), self.now(), QueueCounters::new());
            let swept = self.store.sweep(&policy, Some(&counters), now).await.unwrap();
            all.freed.extend(swept.freed);
            all.touched.extend(swept.touched);
            all.unanswered.extend(swept.unanswered);
            if !swept.more {
                return all;
            }
        }
    }

    pub async fn go(&self, job: JobId, by: JobMove) -> (JobStatus, bool) {
        let asked = self.store.move_job(job, by, &Expect::ANYTHING, self.now());
        asked.await.unwrap().map(|m| (m.status, m.changed)).unwrap()
    }

    /// The counts: total, pending, in flight, processed, failed.
    pub async fn counts(&self, job: JobId) -> [u64; 5] {
        let c = self.job(job).await.counts;
        [c.total, c.pending, c.in_flight, c.processed, c.failed]
    }

    /// Every invariant of the store holds.
    pub async fn check_invariants(&self) {
        let verified = trapline_core::verify::verify(self.store.as_ref(), 7)
            .await
            .unwrap();
        assert_eq!((verified.violations, verified.busy), (vec![], vec![]));
    }

    /// Every task of a job as (state, in flight, reason), by capture, checked against the job's counts.
    pub async fn check_counts(&self, job: JobId) {
        let query = trapline_core::ports::ImageQuery::first(job, 1_000_000);
        let rows = self.store.images(&query).await.unwrap();
        let of = |state| rows.iter().filter(|r| r.state == state).count() as u64;
        let view = self.job(job).await;
        let c = view.counts;
        assert_eq!(c.processed, of(trapline_core::TaskState::Processed), "processed");
        assert_eq!(c.failed, of(trapline_core::TaskState::Failed), "failed");
        let in_flight = rows.iter().filter(|r| r.in_flight).count() as u64;
        assert_eq!(c.in_flight, in_flight, "in flight");
        assert_eq!(c.total, rows.len() as u64, "total");
        assert_eq!(c.total, c.pending + c.in_flight + c.processed + c.failed, "sum");
        let of_tasks: i64 = rows.iter().map(|r| r.detections).sum();
        assert_eq!(c.detections as i64, of_tasks, "detections of the tasks");
        let stored = self
            .store
            .detections(DetectionsOf::first(job, 1_000_000), false)
            .await
            .unwrap();
        assert_eq!(c.detections, stored.len() as u64, "stored detections");
        let classified: usize = stored.iter().map(|d| d.classifications.len()).sum();
        assert_eq!(c.classifications, classified as u64, "stored classifications");
        self.check_invariants().await;
    }
}

/// An error of a worker for a task.
pub(super) fn failure(grant: Grant) -> Settlement {
    let posted = Posted::Fail {
        reason: FailReason::WorkerError,
        detail: "no".into(),
    };
    Settlement {
        receipt: grant.0,
        posted,
    }
}
