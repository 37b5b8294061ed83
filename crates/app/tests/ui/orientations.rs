//! Boxes on photographs that their camera marked as turned.

use std::{fs, path::Path};

use serde_json::{Value, json};
use trapline_worker::samples::{SAMPLE_COUNT, SAMPLE_SEED, sample, write_samples};

use super::{
    browser::Browser,
    results::{found, post_boxes, register, serve, sign_in},
};

/// The boxes that are drawn where the photograph is as bright as its sheet, of how many.
const MISSES: &str = "
    const done = arguments[arguments.length - 1];
    const img = document.querySelector('.photo.one img');
    img.decode().then(() => {
        const canvas = document.createElement('canvas');
        [canvas.width, canvas.height] = [img.naturalWidth, img.naturalHeight];
        const context = canvas.getContext('2d');
        context.drawImage(img, 0, 0);
        const seen = img.getBoundingClientRect();
        const scale = img.naturalWidth / seen.width;
        const lights = (x, y, w, h) => {
            const data = context.getImageData(x, y, Math.max(1, w), Math.max(1, h)).data;
            return Array.from({length: data.length / 4}, (_, i) => data[4 * i] + data[4 * i + 1] + data[4 * i + 2]);
        };
        const all = lights(0, 0, canvas.width, canvas.height).sort((a, b) => a - b);
        const sheet = all[all.length >> 1];
        const boxes = [...document.querySelectorAll('.photo.one .box rect:not(.case)')].map(r => r.getBoundingClientRect());
        const misses = boxes.filter(b => {
            const inside = lights((b.left - seen.left + b.width / 4) * scale, (b.top - seen.top + b.height / 4) * scale,
                b.width / 2 * scale, b.height / 2 * scale);
            return Math.min(...inside) > sheet - 150;
        });
        done([misses.length, boxes.length]);
    }, error => done(String(error)));";

/// The boxes whose crop is another part of the photograph than they are drawn around, of how many.
const OTHER_CROPS: &str = "
    const done = arguments[arguments.length - 1];
    const img = document.querySelector('.photo.one img');
    img.decode().then(() => {
        const seen = img.getBoundingClientRect();
        const scale = img.naturalWidth / seen.width;
        const boxes = [...document.querySelectorAll('.photo.one .box')];
        const others = boxes.filter(box => {
            const crop = document.querySelector(`.entry[data-n='${box.dataset.n}'] svg.crop`);
            if (!crop) return true;
            const b = box.querySelector('rect:not(.case)').getBoundingClientRect();
            const {x, y, width, height} = crop.viewBox.baseVal;
            const drawn = [(b.left - seen.left) * scale, (b.top - seen.top) * scale, b.width * scale, b.height * scale];
            const image = crop.querySelector('image');
            return [x, y, width, height].some((n, i) => Math.abs(n - drawn[i]) > 2 * scale)
                || Math.abs(image.width.baseVal.value - img.naturalWidth) > 0;
        });
        done([others.length, boxes.length]);
    }, error => done(String(error)));";

/// A JPEG that says how its camera was held. Its pixels stay as they are.
fn turned(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let exif = b"\xff\xe1\0\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0";
    let value = [orientation, 0, 0, 0, 0, 0, 0, 0];
    [&jpeg[..2], exif, &value, &jpeg[2..]].concat()
}

/// A folder of a JPEG in each orientation.
fn write_turned(folder: &Path, jpeg: &[u8]) {
    fs::create_dir(folder).unwrap();
    for orientation in 1..=8 {
        let path = folder.join(format!("{orientation}.jpg"));
        fs::write(path, turned(jpeg, orientation)).unwrap();
    }
}

#[tokio::test]
async fn boxes_fit_in_all_eight_orientations() {
    let folder = tempfile::tempdir().unwrap();
    let photos = folder.path().join("photos");
    let made = write_samples(&folder.path().join("made"), SAMPLE_SEED, SAMPLE_COUNT).unwrap();
    let fullest = (0..SAMPLE_COUNT)
        .max_by_key(|n| sample(SAMPLE_SEED, *n).insects.len())
        .unwrap();
    let upright = fs::read(&made[fullest as usize]).unwrap();
    write_turned(&photos, &upright);
    let server = serve(folder.path()).await;
    let client = server.client();
    let ours = found(&client, 1).await;
    // Of a service that reads a photograph as it is stored.
    register(&client, "stored").await;
    let set = client.get("/api/v2/jobs/1/").await["source_image_collection"]["id"].clone();
    let job = json!({"name": "stored", "delay": 0, "project_id": 1, "pipeline_slug": "stored",
        "source_image_collection_id": set});
    let stored = client.post("/api/v2/jobs/?start_now", &job).await["id"]
        .as_i64()
        .unwrap();
    let corners = ["x1", "y1", "x2", "y2"];
    let boxes: Vec<Value> = ours[0]
        .1
        .iter()
        .map(|row| {
            corners
                .map(|corner| (corner, row[corner].clone()))
                .into_iter()
                .collect()
        })
        .collect();
    post_boxes(&client, stored, "stored", &[&boxes]).await;

    let browser = Browser::start(&server.url()).await;
    sign_in(&browser).await;
    let count = async |path: &str, script: &str| {
        browser.open(path).await;
        let counted = browser.run_async(script).await;
        let numbers = counted
            .as_array()
            .map(|n| (n[0].as_u64().unwrap(), n[1].as_u64().unwrap()));
        numbers.unwrap_or_else(|| panic!("{path}: {counted}"))
    };
    let misses = async |path: &str| count(path, MISSES).await;
    for (orientation, (image, rows)) in (1..).zip(&ours) {
        let all = rows.len() as u64;
        assert!(all > 2, "{all} insects in orientation {orientation}");
        let path = format!("/jobs/1/results/{image}");
        assert_eq!(misses(&path).await, (0, all), "orientation {orientation}, ours");
        let path = format!("/jobs/{stored}/results/{image}?turn={orientation}");
        let all = boxes.len() as u64;
        assert_eq!(
            misses(&path).await,
            (0, all),
            "orientation {orientation}, as stored"
        );
        assert_eq!(
            count(&path, OTHER_CROPS).await,
            (0, all),
            "orientation {orientation}, crops"
        );
        let wrong = format!("/jobs/{stored}/results/{image}?turn={}", orientation % 8 + 1);
        assert!(
            misses(&wrong).await.0 > 0,
            "orientation {orientation}: any box fits"
        );
    }
    browser.end().await;
}
