//! The pages of one node while the work is done at another.

use std::path::Path;

use trapline_testkit::services::Cluster;

use super::{BINARY, follows_through_an_outage, job::fails_and_is_retried, new_job::is_made_of_pasted_urls};

async fn cluster() -> Cluster {
    Cluster::start(Path::new(BINARY), &[]).await
}

#[tokio::test]
async fn a_job_from_pasted_urls_lands_live_without_reload() {
    let cluster = cluster().await;
    is_made_of_pasted_urls(&cluster.nodes[0], &cluster.nodes[1].client()).await;
}

#[tokio::test]
async fn failed_images_are_shown_by_reason_and_retried() {
    let cluster = cluster().await;
    fails_and_is_retried(&cluster.nodes[0], &cluster.nodes[1].client()).await;
}

#[tokio::test]
async fn the_server_goes_away_and_the_page_says_so_and_recovers() {
    let mut cluster = cluster().await;
    let work = cluster.nodes[1].client();
    follows_through_an_outage(&mut cluster.nodes[0], &work).await;
}
