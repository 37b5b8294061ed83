//! The project that is chosen in the bar, in a browser.

use std::path::Path;

use serde_json::json;
use trapline_testkit::Server;

use super::{
    BINARY,
    browser::Browser,
    half_done,
    looks::{ROWS, whole_picture},
};

/// The bar's menu, and the names in it.
const MENU: &str = ".bar details.project";

#[tokio::test]
async fn a_project_is_chosen_in_the_bar_and_stays_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
    let client = server.client();
    half_done(&server).await;
    for name in ["Moths of the north shore, trap by trap", "Ω".repeat(255).as_str()] {
        client.post("/api/v2/projects/", &json!({ "name": name })).await;
    }
    let browser = Browser::start(&server.url()).await;
    browser.open("/login").await;
    browser.sign_in().await;
    browser.shows("h1", "Jobs").await;
    for theme in ["light", "dark"] {
        let feature = json!({"name": "prefers-color-scheme", "value": theme});
        let media = json!({ "features": [feature] });
        browser.cdp("Emulation.setEmulatedMedia", media).await;
        // At 320 px the places alone have two rows.
        for (width, rows) in [(1_280, 1), (375, 2), (320, 3)] {
            browser.is_wide(width).await;
            browser.open("/jobs").await;
            let name = format!("picker-{theme}-{width}");
            browser.press(&format!("{MENU} > summary")).await;
            whole_picture(&browser, &name, width).await;
            let wide = "return document.documentElement.scrollWidth";
            assert_eq!(browser.run(wide, json!([])).await, width, "{name}");
            assert_eq!(browser.run(ROWS, json!([])).await, rows, "{name}");
            browser.press(&format!("{MENU} button[value='2']")).await;
            browser.shows(".narrowed bdi", "Moths of the north shore").await;
            browser
                .shows(&format!("{MENU} > summary bdi"), "Moths of the north shore")
                .await;
            browser.shows(".empty", "No job here matches the filter.").await;
            whole_picture(&browser, &format!("picked-{theme}-{width}"), width).await;
            assert_eq!(browser.run(wide, json!([])).await, width, "{name}");
            assert_eq!(browser.run(ROWS, json!([])).await, rows, "{name}");
            browser.press(".narrowed button").await;
            browser
                .shows(&format!("{MENU} > summary bdi"), "All projects")
                .await;
        }
    }
    browser.end().await;
}
