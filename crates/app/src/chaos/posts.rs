//! Posts of results that go wrong: unanswered, doubled, reordered, garbled, late.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};
use trapline_core::fault;
use trapline_drill::{check::settled, failure, success};
use trapline_worker::client::ApiError;

use super::{
    fleet::QUICK,
    ground::Ground,
    hand::{Hand, successes},
    world::World,
};

/// D: the server dies after the results are saved and before their worker is told. The worker posts them again, and each
/// counts once.
pub(super) async fn crash_before_answer(ground: &Ground) -> Result<String> {
    const IMAGES: u64 = 12;
    const POSTED: usize = 6;
    let mut world = World::new(ground, &[]).await?;
    let job = world.started_job(IMAGES).await?;
    let tasks = Hand::new(&world, job).take_all(POSTED).await?;
    let results = successes(&tasks);
    let exactly = if fault::BUILT_IN {
        let armed = format!("{}=return", fault::SETTLE_COMMITTED);
        world.arm(&armed, false).await?;
        let answer = Hand::new(&world, job).post(&results).await;
        ensure!(
            matches!(answer, Err(ApiError::Unreachable(_))),
            "it was answered: {answer:?}"
        );
        world.died_and_taken_over().await?;
        "between commit and answer"
    } else {
        let unread = post_unread(&world, job, &results).await?;
        world.until_processed(job, POSTED as u64).await?;
        drop(unread);
        world.killed_and_taken_over().await?;
        "with the answer unread"
    };
    settled(&world.job(job).await?, POSTED as u64, 0)?;
    Hand::new(&world, job).saves(&results).await?;
    settled(&world.job(job).await?, POSTED as u64, 0)?;
    let fleet = world.fleet(QUICK)?;
    world.landed(job, "SUCCESS", IMAGES, 0).await?;
    fleet.stop().await?;
    world.end().await?;
    Ok(format!(
        "killed {exactly}; {POSTED} results posted twice count once, {IMAGES} processed"
    ))
}

/// Posts results over a connection whose answer nobody reads.
async fn post_unread(world: &World<'_>, job: i64, results: &[Value]) -> Result<TcpStream> {
    let body = json!({ "results": results }).to_string();
    let head = format!(
        "POST /api/v2/jobs/{job}/result/ HTTP/1.1\r\nhost: chaos\r\nauthorization: Token {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        world.token(),
        body.len()
    );
    let mut connection = TcpStream::connect(world.node().address()).await?;
    connection.write_all(head.as_bytes()).await?;
    connection.write_all(body.as_bytes()).await?;
    Ok(connection)
}

/// H: results come doubled, in any order, broken, forged, wrong and then right, and after the job has landed.
pub(super) async fn garbled_posts(ground: &Ground) -> Result<String> {
    const IMAGES: u64 = 6;
    let world = World::new(ground, &[]).await?;
    let job = world.started_job(IMAGES).await?;
    let hand = Hand::new(&world, job);
    let tasks = hand.take_all(IMAGES as usize).await?;

    // Doubled, and in the reverse order: in one post, in two at once, and in a third.
    let doubled = successes(&[tasks[3].clone(), tasks[0].clone()]);
    let (one, other) = futures::join!(hand.saves(&doubled), hand.saves(&doubled));
    one.and(other)?;
    hand.saves(&[doubled[1].clone(), doubled[1].clone()]).await?;
    settled(&world.job(job).await?, 2, 0)?;

    // Broken off in the second item: the first is saved.
    let mut broken = json!({ "results": successes(&tasks[4..6]) }).to_string();
    broken.truncate(broken.len() - 20);
    refused(world.post_bytes(&hand.path(), broken.into_bytes()).await)?;
    refused(world.post_bytes(&hand.path(), b"\x00\xff{".to_vec()).await)?;
    settled(&world.job(job).await?, 3, 0)?;

    // Forged: a receipt that nobody was given.
    let mut forged = success(&tasks[5]);
    forged["reply_subject"] = json!("$JS.ACK.forged.1.1.1.1.1");
    hand.is_rejected(&forged).await?;
    settled(&world.job(job).await?, 3, 0)?;

    // Wrong, and then right.
    let mut wrong = success(&tasks[1]);
    wrong["result"]["detections"][0]["bbox"]["x1"] = json!(1_000);
    hand.is_rejected(&wrong).await?;
    settled(&world.job(job).await?, 3, 1)?;
    hand.saves(&[success(&tasks[1])]).await?;
    settled(&world.job(job).await?, 4, 0)?;

    // The last two: an error, then a result, which lands the job. Then the same the other way round, late.
    hand.saves(&[failure(&tasks[2]), success(&tasks[5])]).await?;
    let landed = world.landed(job, "SUCCESS", IMAGES - 1, 1).await?;
    hand.saves(&[success(&tasks[2]), failure(&tasks[5])]).await?;
    let corrected = world.landed(job, "SUCCESS", IMAGES, 0).await?;
    ensure!(
        landed["finished_at"] == corrected["finished_at"],
        "a late result moved the end of the job"
    );
    world.end().await?;
    Ok(format!(
        "doubled, reordered, broken, forged, wrong and late posts; {IMAGES} images counted exactly at each step"
    ))
}

fn refused(answer: Result<Value, ApiError>) -> Result<()> {
    ensure!(
        matches!(&answer, Err(ApiError::Refused { status, .. }) if *status == 400),
        "a broken post was not refused with 400: {answer:?}"
    );
    Ok(())
}
