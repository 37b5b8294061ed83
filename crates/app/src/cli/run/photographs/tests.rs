use trapline_core::ProjectId;

use super::*;

/// Paths with the time and the content of their files.
#[derive(Default)]
struct FakeDisk(HashMap<PathBuf, (i64, &'static str)>);

/// When everything that is known was processed, and when files whose content says so were put there.
const PROCESSED: Timestamp = Timestamp(1_000);

impl FakeDisk {
    fn of(files: &[(&str, i64, &'static str)]) -> Self {
        Self(
            files
                .iter()
                .map(|(path, at, content)| (path.into(), (*at, *content)))
                .collect(),
        )
    }
}

impl Disk for FakeDisk {
    fn stat(&self, path: &Path) -> Option<Stat> {
        self.0
            .get(path)
            .map(|(at, content)| (content.len() as i64, Timestamp(*at)))
    }

    fn changed(&self, path: &Path) -> Option<Timestamp> {
        let (_, content) = self.0.get(path)?;
        Some(Timestamp(
            PROCESSED.0 + if content.starts_with("late") { 1 } else { -1 },
        ))
    }

    fn digest(&self, path: &Path) -> Option<String> {
        self.0
            .get(path)
            .map(|(_, content)| format!("digest of {content}"))
    }
}

/// What the store knows after a run over these files, in which all were read.
fn known(files: &[(&str, i64, &'static str)]) -> Vec<Capture> {
    let of = |(at, (url, time, content)): (usize, &(&str, i64, &'static str))| Capture {
        id: CaptureId(at as i64 + 1),
        project: ProjectId(1),
        url: format!("file://{url}"),
        facts: CaptureFacts {
            file: Some(FileVersion {
                size: content.len() as i64,
                modified: Timestamp(*time),
                digest: Some(format!("digest of {content}")),
            }),
            ..CaptureFacts::default()
        },
    };
    files.iter().enumerate().map(of).collect()
}

fn planned(known: Vec<Capture>, now: &[(&str, i64, &'static str)]) -> Plan {
    let file = |(path, ..): &(&str, i64, &str)| LocalFile {
        path: path.into(),
        ..LocalFile::default()
    };
    let processed = known
        .iter()
        .filter(|c| c.facts.file.as_ref().unwrap().digest.is_some())
        .map(|c| (c.id, PROCESSED))
        .collect();
    plan(
        now.iter().map(file).collect(),
        known,
        &processed,
        &FakeDisk::of(now),
    )
}

/// Which known photographs are elsewhere now, and by which URL.
fn moved(plan: &Plan) -> Vec<(i64, &str)> {
    let learnt = plan.learnt.iter();
    learnt.map(|l| (l.capture.0, l.url.as_deref().unwrap())).collect()
}

fn urls(plan: &Plan) -> Vec<&str> {
    let mut urls: Vec<_> = plan.captures.iter().map(|c| c.url.as_str()).collect();
    urls.sort_unstable();
    urls
}

#[test]
fn files_that_did_not_change_are_known_and_others_are_new() {
    let night = [("/june/1.jpg", 1, "one"), ("/june/2.jpg", 2, "two")];
    let plan = planned(known(&night[..1]), &night);
    assert_eq!(urls(&plan), ["file:///june/1.jpg", "file:///june/2.jpg"]);
    assert_eq!((plan.learnt, plan.moved, plan.replaced), (vec![], 0, 0));
    let new = plan.captures.iter().find(|c| c.facts.file.is_some()).unwrap();
    assert_eq!(new.url, "file:///june/2.jpg");
}

#[test]
fn another_photograph_is_new_though_it_has_name_size_and_time_of_an_old_one() {
    let night = known(&[("/card/1.jpg", 1, "late one"), ("/card/2.jpg", 1, "two")]);
    let plan = planned(
        night.clone(),
        &[("/card/1.jpg", 1, "late ONE"), ("/card/2.jpg", 1, "two")],
    );
    assert_eq!(
        (urls(&plan), plan.replaced),
        (vec!["file:///card/1.jpg#2", "file:///card/2.jpg"], 1)
    );
    let plan = planned(night, &[("/card/1.jpg", 1, "late one")]);
    assert_eq!(
        (urls(&plan), plan.replaced),
        (vec!["file:///card/1.jpg"], 0),
        "it was put there again"
    );
    // Two whose names were exchanged.
    let two = known(&[("/card/1.bmp", 1, "late A"), ("/card/2.bmp", 1, "late B")]);
    let plan = planned(two, &[("/card/1.bmp", 1, "late B"), ("/card/2.bmp", 1, "late A")]);
    assert_eq!((plan.moved, plan.replaced, plan.captures.len()), (2, 2, 2));
}

#[test]
fn another_photograph_under_an_old_name_is_new() {
    let plan = planned(known(&[("/card/1.jpg", 1, "one")]), &[("/card/1.jpg", 2, "two")]);
    assert_eq!(
        (urls(&plan), plan.replaced),
        (vec!["file:///card/1.jpg#2"], 1),
        "same size"
    );
    let mut twice = known(&[("/card/1.jpg", 1, "one"), ("/card/1.jpg#2", 2, "two")]);
    let plan = planned(twice.clone(), &[("/card/1.jpg", 3, "three")]);
    assert_eq!(urls(&plan), ["file:///card/1.jpg#3"]);
    let plan = planned(twice.clone(), &[("/card/1.jpg", 9, "one")]);
    assert_eq!(urls(&plan), ["file:///card/1.jpg"], "the first came back");
    twice.remove(0);
    assert_eq!(
        urls(&planned(twice, &[("/card/1.jpg", 3, "three")])),
        ["file:///card/1.jpg#3"]
    );
}

#[test]
fn a_file_that_was_only_touched_is_known_by_its_content() {
    let plan = planned(known(&[("/june/1.jpg", 1, "one")]), &[("/june/1.jpg", 7, "one")]);
    assert_eq!(urls(&plan), ["file:///june/1.jpg"]);
    let file = plan.learnt[0].facts.file.clone().unwrap();
    assert_eq!(
        (file.modified, file.digest.as_deref()),
        (Timestamp(7), Some("digest of one"))
    );
}

#[test]
fn a_file_that_nobody_has_read_yet_is_what_it_is_now() {
    let mut before = known(&[("/june/1.jpg", 1, "half")]);
    before[0].facts.file.as_mut().unwrap().digest = None;
    let plan = planned(before, &[("/june/1.jpg", 2, "the whole")]);
    assert_eq!((urls(&plan), plan.replaced), (vec!["file:///june/1.jpg"], 0));
    let file = plan.learnt[0].facts.file.clone().unwrap();
    assert_eq!((file.size, file.digest), (9, None));
}

#[test]
fn a_damaged_file_that_was_mended_is_one_photograph() {
    let failed = known(&[("/june/1.jpg", 1, "half")]);
    let whole = FakeDisk::of(&[("/june/1.jpg", 2, "the whole")]);
    let file = LocalFile {
        path: "/june/1.jpg".into(),
        ..LocalFile::default()
    };
    let plan = plan(vec![file], failed, &HashMap::new(), &whole);
    assert_eq!((urls(&plan), plan.replaced), (vec!["file:///june/1.jpg"], 0));
    assert_eq!(
        plan.learnt[0].facts.file.as_ref().unwrap().digest,
        None,
        "it is not read yet"
    );
}

#[test]
fn a_damaged_file_that_was_processed_and_then_mended_is_two() {
    let before = known(&[("/june/1.bmp", 1, "half")]);
    let plan = planned(before, &[("/june/1.bmp", 2, "the whole")]);
    assert_eq!((urls(&plan), plan.replaced), (vec!["file:///june/1.bmp#2"], 1));
}

#[test]
fn a_renamed_folder_holds_the_same_photographs() {
    let before = known(&[("/june/1.jpg", 1, "one"), ("/june/2.jpg", 2, "two")]);
    let plan = planned(
        before,
        &[
            ("/july/1.jpg", 5, "one"),
            ("/july/2.jpg", 5, "two"),
            ("/july/3.jpg", 5, "six"),
        ],
    );
    assert_eq!(plan.moved, 2);
    assert_eq!(
        moved(&plan),
        [(1, "file:///july/1.jpg"), (2, "file:///july/2.jpg")]
    );
    assert_eq!(plan.old_urls, ["file:///june/1.jpg", "file:///june/2.jpg"]);
}

#[test]
fn a_second_copy_is_a_photograph_of_its_own() {
    let both = [("/june/1.jpg", 1, "one"), ("/june/copy.jpg", 1, "one")];
    let plan = planned(known(&both[..1]), &both);
    assert_eq!(
        (urls(&plan), plan.moved),
        (vec!["file:///june/1.jpg", "file:///june/copy.jpg"], 0)
    );
    let plan = planned(
        known(&both[..1]),
        &[("/a/1.jpg", 1, "one"), ("/b/1.jpg", 1, "one")],
    );
    assert_eq!((plan.moved, plan.captures.len()), (1, 2), "one of them was moved");
}

#[test]
fn names_that_were_swapped_or_shifted_keep_their_photographs() {
    let before = known(&[("/june/1.jpg", 1, "one"), ("/june/2.jpg", 2, "two")]);
    let plan = planned(before, &[("/june/2.jpg", 1, "one"), ("/june/1.jpg", 2, "two")]);
    assert_eq!(plan.moved, 2);
    assert_eq!(
        moved(&plan),
        [(1, "file:///june/2.jpg#2"), (2, "file:///june/1.jpg#2")],
        "no two have one URL"
    );
}

#[test]
fn a_known_file_that_can_no_longer_be_read_is_still_that_photograph() {
    let gone = [LocalFile {
        path: "/june/1.jpg".into(),
        ..LocalFile::default()
    }];
    let plan = plan(
        gone.into(),
        known(&[("/june/1.jpg", 1, "one")]),
        &HashMap::new(),
        &FakeDisk::default(),
    );
    assert_eq!(urls(&plan), ["file:///june/1.jpg"]);
}

#[test]
fn a_file_is_read_no_further_once_nobody_waits_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("large.jpg");
    // It has holes only; reading it to its end would take a minute.
    std::fs::File::create(&path).unwrap().set_len(1 << 36).unwrap();
    let disk = RealDisk::default();
    assert_eq!(disk.stat(&path).map(|(size, _)| size), Some(1 << 36));
    let reader = {
        let (disk, path) = (disk.clone(), path.clone());
        std::thread::spawn(move || disk.digest(&path))
    };
    drop(disk.guard());
    assert_eq!(reader.join().unwrap(), None);
    assert_eq!(disk.stat(&path), None);
}
