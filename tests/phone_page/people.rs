//! A page for everyone: by keyboard, by screen reader, in the sun and at night.

use crate::Road;
use serde_json::Value;

fn named<'a>(tree: &'a [Value], role: &str) -> Vec<&'a str> {
    tree.iter().filter(|node| node["role"] == role).map(|node| node["name"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_can_be_done_by_the_keyboard_alone() {
    let mut road = Road::start().await;
    let link = road.link("dj", "kim");
    road.browser.open("kim", &link).await;
    road.browser.see("kim", "button", "Join").await;
    assert_eq!(road.browser.focus("kim").await, "textbox Your name, as the others will see it");
    for letter in ["K", "i", "m", "Enter"] {
        road.browser.key("kim", letter).await;
    }
    road.browser.read("kim", "Connected to the server").await;
    road.browser.tab_to("kim", "button Take control").await;
    road.browser.key("kim", "Enter").await;
    road.browser.read("kim", "You control the music.").await;
    assert_eq!(road.browser.focus("kim").await, "button Release control", "the focus stays where it was");
    road.browser.tab_to("kim", "button Edit the playlist").await;
    road.browser.key("kim", "Space").await;
    road.browser.tab_to("kim", "button Down One").await;
    road.browser.key("kim", "Enter").await;
    road.van.until("it moved", |status| status.now_playing.index == Some(1)).await;
    road.browser.read("kim", "Moved down.").await;
    assert_eq!(road.browser.focus("kim").await, "button Down One", "the focus goes along with the row");
    road.browser.tab_to("kim", "slider Position").await;
    let before = road.van.status().await.now_playing.position_us;
    for _ in 0..9 {
        road.browser.key("kim", "PageUp").await;
    }
    let sought = |status: &jamz::core::status::Status| status.now_playing.position_us > before + 60_000_000;
    road.van.until("it sought", sought).await;
    road.browser.tab_to("kim", "button Pause").await;
    road.browser.key("kim", "Space").await;
    road.van.until("it stands", |status| !status.now_playing.playing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_screen_reader_is_told_what_everything_is_and_what_happens() {
    let mut road = Road::start().await;
    road.join("dj", "sam").await;
    road.browser.read("sam", "ann's car controls the music.").await;
    road.browser.press("sam", "Edit the playlist").await;
    road.browser.see("sam", "button", "Remove Three").await;
    let tree = road.browser.tree("sam").await;
    let buttons = named(&tree, "button");
    let wanted = [
        "Previous",
        "Pause",
        "Next",
        "Take control",
        "Edit the playlist",
        "One 3:20",
        "Up Two",
        "Down Two",
        "Remove Three",
        "Leave, and forget the link on this phone",
    ];
    for name in wanted {
        assert!(buttons.contains(&name), "{name}: {buttons:?}");
    }
    for role in ["button", "slider", "textbox", "heading"] {
        assert!(named(&tree, role).iter().all(|name| !name.trim().is_empty()), "a {role} without a name: {tree:#?}");
    }
    let headings = named(&tree, "heading");
    assert_eq!(headings, [crate::CONVOY, "Now playing", "Who controls", "Playlist", "Who is here"]);
    assert_eq!(named(&tree, "group"), ["Playback"]);
    let slider = tree.iter().find(|node| node["role"] == "slider").unwrap();
    assert_eq!(slider["name"], "Position");
    // Chromium's tree does not show the words that it gives to screen readers.
    let spoken = "() => document.getElementById('position').getAttribute('aria-valuetext')";
    let spoken = road.browser.run("sam", spoken, Value::Null).await;
    assert!(spoken.as_str().unwrap().ends_with(" of 3 minutes 20 seconds"), "{spoken}");
    let pause = tree.iter().find(|node| node["name"] == "Pause").unwrap();
    assert_eq!(pause["disabled"], true, "what cannot be done now is told: {pause}");
    let edit = tree.iter().find(|node| node["name"] == "Edit the playlist").unwrap();
    assert_eq!(edit["pressed"], "true", "{edit}");
    let polite = tree.iter().filter(|node| node["role"] == "status");
    assert_eq!(polite.filter(|node| node["live"] == "polite").count(), 2, "what happens is read out: {tree:#?}");
    for role in ["banner", "main", "list", "listitem"] {
        assert!(tree.iter().any(|node| node["role"] == role), "{role}");
    }
    road.van.client().await.next().await.unwrap();
    road.browser.read("sam", "Now: Two").await;
}

/// Text against its ground by WCAG's measure, and how large what is pressed is.
const MEASURE: &str = "() => {
    const parse = (text) => text.match(/[\\d.]+/g).map(Number);
    const light = (rgb) => rgb.slice(0, 3).map((c) => c / 255)
        .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const ground = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const colour = parse(getComputedStyle(at).backgroundColor);
            if (colour.length < 4 || colour[3] > 0) return colour;
        }
        return [255, 255, 255];
    };
    const shown = [...document.querySelectorAll('body *')].filter((e) => e.checkVisibility() && !e.closest('svg'));
    const texts = shown.filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()));
    const contrast = texts.map((e) => {
        const [a, b] = [light(parse(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
        return { what: e.textContent.trim(), is: (a + 0.05) / (b + 0.05) };
    });
    const targets = shown.filter((e) => e.matches('button, input')).map((e) => {
        const { width, height } = e.getBoundingClientRect();
        return { what: e.textContent.trim() || e.id, width, height };
    });
    return { contrast, targets, width: document.documentElement.scrollWidth };
}";

#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_read_in_the_sun_and_pressed_by_a_thumb() {
    let mut road = Road::start().await;
    for user in ["day", "night"] {
        let link = road.link("dj", user);
        if user == "night" {
            road.browser.open_dark(user, &link).await;
        } else {
            road.browser.open(user, &link).await;
        }
        road.browser.picture(user, &format!("{user}-name")).await;
        road.enter(user).await;
        road.browser.press(user, "Take control").await;
        road.browser.read(user, "You control the music.").await;
        road.browser.picture(user, user).await;
        road.browser.press(user, "Edit the playlist").await;
        road.browser.see(user, "button", "Up Two").await;
        road.browser.picture(user, &format!("{user}-edit")).await;
        let measured = road.browser.run(user, MEASURE, Value::Null).await;
        let (contrast, targets) = (measured["contrast"].as_array().unwrap(), measured["targets"].as_array().unwrap());
        assert!(contrast.len() > 20 && targets.len() > 12, "{measured:#}");
        for text in contrast {
            assert!(text["is"].as_f64().unwrap() >= 7.0, "{user}: {text}");
        }
        for target in targets {
            let (width, height) = (target["width"].as_f64().unwrap(), target["height"].as_f64().unwrap());
            assert!(width >= 48.0 && height >= 48.0, "{user}: {target}");
        }
        assert_eq!(measured["width"], 360, "nothing has to be moved sideways");
    }
}
