//! An output that is heard late is fed early, by what is known of it, also where that is found out in mid-song.

use crate::sound::{error_db, sine};
use crate::virtual_car::{VirtualCar, segment};
use crate::{ideal, wav};

#[test]
fn an_outputs_delay_moves_the_music_by_just_that_and_is_worked_off_when_it_changes() {
    let dir = tempfile::tempdir().unwrap();
    let tone = |t: f64| if t < 0.0 { [0.0; 2] } else { sine(440.0, 0.5)(t) };
    let source = wav(dir.path(), 48_000, 24.0, tone);
    let mut car = VirtualCar::new(0.0);
    car.pacer.delay_us = 20_000;
    car.plan(&[segment("a", &source, 500_000, 0, None)]);
    let heard = car.render(2.0);
    let settled = 60_000..heard.len();
    let early = error_db(&heard[settled.clone()], &ideal(&car, settled, 0.48, tone));
    assert!(early < -80.0, "{early} dB");

    // A step that is small enough is bent, a greater one is jumped under a fade.
    for (delay_us, seconds, starts_s) in [(19_000, 15.0, 0.481), (-80_000, 2.0, 0.58)] {
        car.pacer.delay_us = delay_us;
        let before = heard_so_far(&car);
        let heard = car.render(seconds);
        let settled = heard.len() - 24_000..heard.len();
        let range = before + settled.start..before + settled.end;
        let error = error_db(&heard[settled], &ideal(&car, range, starts_s, tone));
        assert!(error < -60.0, "{delay_us} us: {error} dB");
    }
}

fn heard_so_far(car: &VirtualCar) -> usize {
    usize::try_from(car.pacer.frame()).unwrap()
}
