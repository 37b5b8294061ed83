//! What only a store of many nodes can get wrong: several of them on one database at once, and a server that goes away.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

#[path = "../support/broken.rs"]
mod broken;
mod crowd;
mod dispatch;
mod locks;
mod outages;
mod races;
mod schema;
#[path = "../support/mod.rs"]
mod support;
mod sweeps;
mod thumbnails;
mod upkeep;
mod verified;

use std::{future::Future, pin::Pin, sync::Arc};

use libtest_mimic::{Arguments, Trial};
use trapline_testkit::{ManualClock, conformance::World};

use support::{Databases, connect};

type Test = fn(Arc<Databases>) -> Pin<Box<dyn Future<Output = ()>>>;

/// Names tests, so that a table and its functions can't drift apart.
macro_rules! table {
    ($($test:path),+ $(,)?) => { [$((stringify!($test), (|databases| Box::pin($test(databases))) as Test)),+] };
}

/// Two nodes on one database, under one clock.
async fn two_nodes(databases: &Databases) -> (World, World) {
    let url = databases.fresh().await;
    let clock = ManualClock::new();
    let a = node(&url, &clock).await;
    a.beat().await;
    (a, node(&url, &clock).await)
}

async fn node(url: &str, clock: &ManualClock) -> World {
    World {
        store: Arc::new(connect(url, clock).await),
        clock: clock.clone(),
        keep: Box::new(()),
    }
}

fn main() {
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap()
    };
    let databases = Arc::new(runtime().block_on(Databases::start()));
    let tests = table![
        races::two_concurrent_settles_of_the_last_two_tasks_land_the_job_once,
        races::eight_reservers_never_get_the_same_task,
        races::overlapping_groups_in_opposite_order_settle_each_task_once,
        races::a_worker_met_by_many_nodes_at_once_is_one,
        races::a_pipeline_registered_by_many_nodes_at_once_is_created_once,
        races::the_same_captures_added_by_two_nodes_in_opposite_order_are_stored_once,
        races::one_process_that_asks_twice_at_once_gets_nothing_beside_a_suspect,
        dispatch::two_nodes_that_start_on_an_empty_database_make_one_schema,
        dispatch::store_time_is_the_databases_and_goes_on,
        dispatch::a_dispatcher_that_wakes_up_late_writes_nothing,
        dispatch::two_dispatchers_of_one_job_collect_each_capture_once,
        dispatch::late_results_and_a_reset_of_their_tasks_do_not_deadlock,
        dispatch::results_that_come_while_the_job_is_collected_count,
        sweeps::a_result_against_the_sweep_of_its_lease_is_one_outcome,
        sweeps::an_answer_against_the_sweep_of_its_grant_leaves_no_suspects,
        sweeps::two_sweeps_at_once_charge_one_death,
        sweeps::the_net_against_results_and_sweeps_keeps_the_counts,
        sweeps::late_results_against_a_purge_leave_nothing_behind,
        thumbnails::thumbnails_are_in_a_table_that_all_nodes_share_and_the_oldest_job_goes_first,
        locks::a_hand_out_locks_no_more_than_it_hands_out,
        locks::a_hand_out_passes_over_what_somebody_holds,
        locks::a_deleted_job_stays_until_the_last_of_its_tasks_is_free,
        locks::a_sweep_passes_over_what_is_being_answered,
        locks::the_last_tries_of_a_smaller_budget_pass_over_what_somebody_holds,
        locks::a_lease_that_ended_while_its_change_waited_is_over,
        locks::a_result_that_waited_for_another_of_its_task_is_a_replay,
        locks::a_job_that_was_claimed_while_a_claim_waited_is_not_claimed_again,
        locks::a_verb_that_waited_acts_on_the_job_as_it_was_left,
        locks::signs_of_life_of_two_nodes_add_up,
        outages::a_server_that_is_killed_makes_calls_fail_soon_and_is_found_again,
        outages::a_server_that_says_nothing_makes_calls_fail_soon_and_is_found_again,
        outages::a_call_under_way_when_the_server_falls_silent_is_given_up_soon,
        outages::a_call_that_waits_on_a_server_that_lives_is_not_given_up,
        outages::what_can_not_be_opened_is_told_apart,
        schema::looking_at_an_empty_database_leaves_it_empty_and_says_what_to_do,
        schema::looking_at_a_store_reads_all_of_it_and_can_write_none,
        schema::no_index_holds_a_column_that_a_hand_out_or_a_sign_of_life_writes,
        schema::on_a_newer_schema_a_node_works_before_and_after_a_restart,
        verified::what_was_broken_by_hand_is_named_with_its_rows,
        crowd::sixteen_clients_hand_out_and_settle_each_task_once,
        upkeep::pages_that_hang_take_no_connection_from_a_reserve_or_a_result,
        upkeep::a_large_collect_is_analysed_and_a_small_one_is_not,
        upkeep::a_sweep_marks_grants_that_hold_nothing_and_no_other,
    ];
    let trials = tests
        .into_iter()
        .map(|(name, test)| {
            let databases = Arc::clone(&databases);
            Trial::test(name, move || {
                runtime().block_on(test(databases));
                Ok(())
            })
        })
        .collect();
    let done = libtest_mimic::run(&Arguments::from_args(), trials);
    // `exit` drops nothing.
    drop(databases);
    done.exit();
}
