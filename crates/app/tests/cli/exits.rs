//! Exit codes, and that every failure says what to do.

use serde_json::json;

use super::support::{Server, TOKEN, answer, command, not_found, run, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_exits_1_and_says_what_to_do() {
    let server = Server::start(|seen| match seen.line.as_str() {
        "GET jobs/1" => not_found(),
        "GET jobs/2" => answer(401, &json!({"detail": "Invalid token."})),
        "POST jobs/3/run" => answer(
            403,
            &json!({"detail": "You do not have permission to perform this action."}),
        ),
        _ => answer(
            400,
            &json!({"pipeline_slug": ["There is no pipeline `x`; known: light-sheet."]}),
        ),
    })
    .await;
    let ran = server.run(&["job", "show", "1"]).await.exits(1);
    assert_eq!(
        (ran.out.as_str(), ran.err.as_str()),
        (
            "",
            "error: the server has no `jobs/1`, or this token does not see it\n"
        )
    );
    let ran = server.run(&["job", "show", "2"]).await.exits(1);
    assert!(ran.err.contains("TRAPLINE_TOKEN"), "{ran:?}");
    let ran = server.run(&["job", "run", "3"]).await.exits(1);
    assert!(ran.err.contains("role"), "{ran:?}");
    let create = [
        "job",
        "create",
        "--name",
        "n",
        "--pipeline",
        "x",
        "--collection",
        "1",
    ];
    let ran = server.run(&create).await.exits(1);
    assert_eq!(
        ran.err,
        "error: --pipeline: There is no pipeline `x`; known: light-sheet.\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_asked_for_exits_2_without_asking() {
    let server = Server::start(|_| not_found()).await;
    for args in [
        &["job", "show", "one"][..],
        &["job", "watch"],
        &["job", "list", "--status", "DONE"],
        &["job", "create", "--name", "n", "--pipeline", "x"],
        &[
            "job",
            "create",
            "--name",
            "n",
            "--pipeline",
            "x",
            "--captures",
            "/nowhere.txt",
        ],
        &[
            "job",
            "create",
            "--name",
            "n",
            "--pipeline",
            "x",
            "--collection",
            "1",
            "--watch",
        ],
        &["job", "results", "1", "--out", "/nowhere/results.csv"],
        &["token", "create", "--name", "n", "--role", "king"],
        &[
            "token",
            "create",
            "--name",
            "n",
            "--role",
            "admin",
            "--expires-at",
            "soon",
        ],
        &["job", "list", "--url", "ftp://host"],
        &["worker", "--pipeline", "no-such"],
        &["worker", "--batch-size", "0"],
        &["no-such"],
    ] {
        let ran = server.run(args).await;
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}: {ran:?}");
        assert!(!ran.err.is_empty(), "{args:?}");
    }
    let mut without = command(&server.url, &["job", "list"]);
    without.env("TRAPLINE_TOKEN", "");
    let ran = run(without, Vec::new()).await.exits(2);
    assert!(
        ran.err.contains("--token") && ran.err.contains("TRAPLINE_TOKEN"),
        "{ran:?}"
    );
    assert_eq!(server.lines(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_or_no_trapline_exits_3() {
    let ran = run(command("http://127.0.0.1:9", &["job", "list"]), Vec::new())
        .await
        .exits(3);
    assert!(
        ran.err.contains("http://127.0.0.1:9") && ran.err.contains("is it running"),
        "{ran:?}"
    );
    let server = Server::start(|seen| match seen.line.as_str() {
        "GET jobs/1" => text(200, "<html>please log in</html>"),
        "GET jobs/2" => text(302, ""),
        _ => answer(
            503,
            &json!({"detail": "Service temporarily unavailable, try again later."}),
        ),
    })
    .await;
    for id in ["1", "2", "3"] {
        let ran = server.run(&["job", "watch", id]).await.exits(3);
        assert_eq!(ran.out, "");
    }
    let ran = server.run(&["health-check"]).await.exits(3);
    assert!(ran.err.contains("try again later"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_url_may_end_in_the_path_of_the_api() {
    let server = Server::start(|_| answer(200, &json!({"results": [], "next": null}))).await;
    for end in ["", "/", "/api/v2", "/api/v2/"] {
        let url = format!("{}{end}", server.url);
        server
            .run(&["job", "list", "--url", &url, "--json"])
            .await
            .exits(0);
    }
    let seen = server.seen();
    assert_eq!(seen.len(), 4);
    assert!(
        seen.iter()
            .all(|s| s.line.starts_with("GET jobs?") && s.authorization == format!("Token {TOKEN}"))
    );
}
