//! What the demo does by itself: `DEMO_SCRIPT`, or the built-in controls over and over.

use super::action::{Action, Control};
use super::road::Cable;
use anyhow::{Context, Result, bail, ensure};
use std::collections::VecDeque;
use std::time::Duration;

/// In the order in which they are done, over and over, each so long after the last. They end in the track in which they
/// began.
const CONTROLS: [Control; 8] = [
    Control::SeekTo { position_us: 12_000_000 },
    Control::Pause,
    Control::Play,
    Control::Next,
    Control::Previous,
    Control::Take,
    Control::SeekBy { offset_us: 7_000_000 },
    Control::SeekBy { offset_us: -3_000_000 },
];
const STEP_S: f64 = 2.0;
/// Nothing new is done so shortly before the end.
const LAST_CONTROL_S: f64 = 3.0;
const TIME_MAX_S: f64 = 86_400.0;

pub const VERBS: &str = "play, pause, next, previous, seek SECONDS, take, add CAR, kill [CAR], revive, stop-server, \
                         kill-server, start-server, cut-internet [CAR], cut-lan [CAR], mend-internet [CAR], \
                         mend-lan [CAR], deafen CAR TO, hear CAR TO, restore";

/// What is to be done when, in seconds from the first sound.
#[derive(Debug, Default, PartialEq)]
pub struct Script(VecDeque<(f64, Action)>);

impl Script {
    /// The built-in controls for a run of `seconds`.
    pub fn built_in(seconds: u64) -> Self {
        let steps = ((seconds as f64 - LAST_CONTROL_S) / STEP_S).max(0.0) as usize;
        let controls = CONTROLS.iter().cycle().take(steps);
        Self(controls.enumerate().map(|(n, control)| ((n + 1) as f64 * STEP_S, Action::Control(*control))).collect())
    }

    /// Reads a script such as `5 cut-internet; 8 pause; 10 play; 18 restore; 20 next`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Self> {
        let mut steps = VecDeque::new();
        let mut last_s = 0.0;
        for step in text.split(';').map(str::trim).filter(|step| !step.is_empty()) {
            let words: Vec<&str> = step.split_whitespace().collect();
            let (at, verb) = words.split_first().context("an empty step")?;
            let at_s: f64 = at.parse().with_context(|| format!("`{step}` does not begin with a number of seconds"))?;
            ensure!((last_s..=TIME_MAX_S).contains(&at_s), "`{step}` is not later than the step before it");
            last_s = at_s;
            steps.push_back((at_s, action(verb).with_context(|| format!("in `{step}`"))?));
        }
        Ok(Self(steps))
    }

    /// How long to wait for the next step, `elapsed_s` after the first sound; none when there is none left.
    pub fn wait(&self, elapsed_s: f64) -> Option<Duration> {
        self.0.front().map(|(at_s, _)| Duration::from_secs_f64((at_s - elapsed_s).max(0.0)))
    }

    pub fn next(&mut self) -> Option<Action> {
        self.0.pop_front().map(|(_, action)| action)
    }

    /// When the last step is done.
    pub fn length_s(&self) -> f64 {
        self.0.back().map_or(0.0, |(at_s, _)| *at_s)
    }
}

fn action(words: &[&str]) -> Result<Action> {
    Ok(match words {
        ["play"] => Action::Control(Control::Play),
        ["pause"] => Action::Control(Control::Pause),
        ["next"] => Action::Control(Control::Next),
        ["previous"] => Action::Control(Control::Previous),
        ["take"] => Action::Control(Control::Take),
        ["seek", seconds] => {
            let seconds: u32 = seconds.parse().context("seek needs whole seconds")?;
            Action::Control(Control::SeekTo { position_us: i64::from(seconds) * 1_000_000 })
        }
        ["add", car] => Action::Control(Control::Add { car: counted(car)? }),
        ["kill", car @ ..] => Action::Kill { car: number(car)? },
        ["revive"] => Action::Revive,
        ["stop-server"] => Action::StopServer,
        ["kill-server"] => Action::KillServer,
        ["start-server"] => Action::StartServer,
        ["cut-internet", car @ ..] => Action::Cut { cable: Cable::Internet, car: number(car)? },
        ["cut-lan", car @ ..] => Action::Cut { cable: Cable::Lan, car: number(car)? },
        ["mend-internet", car @ ..] => Action::Mend { cable: Cable::Internet, car: number(car)? },
        ["mend-lan", car @ ..] => Action::Mend { cable: Cable::Lan, car: number(car)? },
        ["deafen", car, to] => Action::Deafen { car: counted(car)?, to: counted(to)? },
        ["hear", car, to] => Action::Hear { car: counted(car)?, to: counted(to)? },
        ["restore"] => Action::Restore,
        _ => bail!("`{}` is none of: {VERBS}", words.join(" ")),
    })
}

/// Cars are counted from one by people.
fn number(words: &[&str]) -> Result<Option<usize>> {
    Ok(match words {
        [] => None,
        [car] => Some(counted(car)?),
        _ => bail!("one car's number at most"),
    })
}

fn counted(word: &str) -> Result<usize> {
    let number = word.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    number.with_context(|| format!("`{word}` is no car's number, counted from one"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_done_step_by_step_in_its_time() {
        let mut script = Script::read("5 cut-internet; 8 pause;10.5 cut-lan 2; 18 restore;").unwrap();
        assert_eq!(script.wait(4.0), Some(Duration::from_secs(1)));
        assert_eq!(script.next(), Some(Action::Cut { cable: Cable::Internet, car: None }));
        assert_eq!(script.wait(9.0), Some(Duration::ZERO));
        assert_eq!(script.next(), Some(Action::Control(Control::Pause)));
        assert_eq!(script.next(), Some(Action::Cut { cable: Cable::Lan, car: Some(1) }));
        assert!((script.length_s() - 18.0).abs() < 1e-9);
        assert_eq!((script.next(), script.next()), (Some(Action::Restore), None));
        assert_eq!(script.wait(0.0), None);
    }

    #[test]
    fn a_wrong_script_is_refused_with_what_is_wrong() {
        for (text, why) in [
            ("pause", "does not begin with a number"),
            ("5 pause; 3 play", "not later"),
            ("5 jump", "none of: play"),
            ("5 seek", "none of"),
            ("5 cut-lan 0", "counted from one"),
            ("5 cut-lan 1 2", "at most"),
            ("5 deafen 1", "none of"),
            ("5 add", "none of"),
            ("NaN play", "not later"),
        ] {
            let problem = format!("{:#}", Script::read(text).unwrap_err());
            assert!(problem.contains(why), "{text}: {problem}");
        }
    }

    #[test]
    fn a_step_that_changes_the_road_is_told_as_it_was_written() {
        let steps =
            ["cut-internet", "cut-lan 2", "mend-internet 1", "deafen 2 1", "hear 2 1", "kill-server", "restore"];
        for step in steps {
            let mut script = Script::read(&format!("1 {step}")).unwrap();
            assert_eq!(script.next().unwrap().to_string(), step);
        }
    }

    #[test]
    fn the_built_in_script_leaves_the_end_in_peace() {
        let script = Script::built_in(20);
        assert!(script.length_s() <= 17.0 && script.length_s() > 14.0);
    }
}
