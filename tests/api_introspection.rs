//! What the live objects say of themselves is what the repository documents, and what tools other than ours can read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/bus.rs"]
mod bus;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/fake_car.rs"]
mod fake_car;

use bus::Bus;
use fake_car::FakeCar;
use jamz::core::status::Muted;
use std::process::Command;

const DOCUMENTED: &str = "config/com.trafficjamz.HeadUnit1.xml";
const HEAD: &str = "<!DOCTYPE node PUBLIC \"-//freedesktop//DTD D-BUS Object Introspection 1.0//EN\"\n \
    \"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd\">\n";

async fn introspect(bus: &Bus, name: &str, path: &str) -> String {
    let connection = zbus::connection::Builder::address(bus.address().as_str()).build().await.unwrap();
    let reply =
        connection.call_method(Some(name), path, Some("org.freedesktop.DBus.Introspectable"), "Introspect", &());
    reply.await.unwrap().body().deserialize().unwrap()
}

/// The head unit's own interfaces, without those that every object has.
fn own_interfaces(xml: &str) -> Vec<String> {
    let blocks =
        xml.split_inclusive("</interface>").filter_map(|block| block.find("<interface ").map(|at| &block[at..]));
    let mut own: Vec<String> =
        blocks.filter(|block| !block.starts_with("<interface name=\"org.freedesktop.")).map(str::to_owned).collect();
    own.sort();
    own
}

#[tokio::test]
async fn the_documented_interfaces_are_those_of_the_live_object() {
    let bus = Bus::start();
    let _car = FakeCar::start(&bus.address()).await;
    let live = introspect(&bus, "com.trafficjamz.HeadUnit1", "/com/trafficjamz/HeadUnit1").await;
    let own = own_interfaces(&live);
    assert_eq!(own.len(), 5);
    let live = format!("{HEAD}<node name=\"/com/trafficjamz/HeadUnit1\">\n  {}\n</node>\n", own.join("\n  "));
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(DOCUMENTED, &live).unwrap();
    }
    let documented = std::fs::read_to_string(DOCUMENTED).unwrap_or_default();
    assert!(
        live == documented,
        "{DOCUMENTED} is not what the object offers; see `BLESS=1 cargo test --test api_introspection`"
    );
}

#[tokio::test]
async fn a_property_that_is_not_signalled_says_so() {
    let bus = Bus::start();
    let _car = FakeCar::start(&bus.address()).await;
    let own = introspect(&bus, "com.trafficjamz.HeadUnit1", "/com/trafficjamz/HeadUnit1").await;
    let mpris = introspect(&bus, "org.mpris.MediaPlayer2.jamz", "/org/mpris/MediaPlayer2").await;
    let mut quiet: Vec<&str> = Vec::new();
    for xml in [&own, &mpris] {
        for property in xml.split("<property name=\"").skip(1) {
            let (name, rest) = property.split_once('"').unwrap();
            let body = rest.split("</property>").next().unwrap();
            if body.split("<property").next().unwrap().contains("EmitsChangedSignal\" value=\"false\"") {
                quiet.push(name);
            }
        }
    }
    quiet.sort_unstable();
    let wanted = [
        "AudioOffsetUs",
        "ClockBoundUs",
        "ClockRatePpm",
        "CorrectionPpm",
        "Fetching",
        "LeadUs",
        "Position",
        "PositionUs",
        "RoundTripUs",
        "ScanTotal",
        "Scanned",
    ];
    assert_eq!(quiet, wanted);
}

#[tokio::test]
async fn busctl_and_gdbus_read_the_objects() {
    let bus = Bus::start();
    let car = FakeCar::start(&bus.address()).await;
    let run = async |program: &str, arguments: &[&str]| -> String {
        let (program, arguments) = (program.to_owned(), arguments.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>());
        let output = tokio::task::spawn_blocking(move || {
            Command::new(&program)
                .args(arguments)
                .output()
                .unwrap_or_else(|_| panic!("{program} does not run; install it (apt install systemd libglib2.0-bin)"))
        });
        let output = output.await.unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let address = format!("--address={}", bus.address());
    let (name, path) = ("com.trafficjamz.HeadUnit1", "/com/trafficjamz/HeadUnit1");
    let listed = run("busctl", &[&address, "--no-pager", "introspect", name, path]).await;
    assert!(listed.contains(".ActiveSync") && listed.contains("\"socket\""), "{listed}");
    let peers =
        run("busctl", &[&address, "get-property", name, path, "com.trafficjamz.HeadUnit1.Convoy", "WebRTC"]).await;
    assert_eq!(peers.trim(), "a{ss} 1 \"car-2\" \"connecting\"");
    let who = async || run("busctl", &[&address, "call", name, path, "com.trafficjamz.HeadUnit1.Convoy", "Who"]).await;
    assert!(!who().await.contains("muted"));
    let muted = Muted { reason: "too many heartbeats".into(), until_us: 1_234_567 };
    car.change(|inside| inside.status.muted = [("car-2".into(), muted)].into());
    let told = who().await;
    assert!(told.contains("\"muted\" s \"too many heartbeats\"") && told.contains("x 1234567"), "{told}");
    let called = run("busctl", &[&address, "call", name, path, "com.trafficjamz.HeadUnit1.Player", "Pause"]).await;
    assert_eq!(called.trim(), "sas \"convoy\" 1 \"car-1:1\"");
    let at = bus.address();
    let (name, path) = ("org.mpris.MediaPlayer2.jamz", "/org/mpris/MediaPlayer2");
    let all = run("gdbus", &["introspect", "--address", &at, "--dest", name, "--object-path", path]).await;
    assert!(all.contains("readonly b CanControl = true"));
}
