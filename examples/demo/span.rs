//! Stretches of true time, and the little set arithmetic that they need.

/// From one instant to a later one, in seconds of the monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    pub from_s: f64,
    pub to_s: f64,
}

impl Span {
    pub fn length_s(self) -> f64 {
        self.to_s - self.from_s
    }

    /// What both have in common.
    pub fn overlap(self, other: Self) -> Option<Self> {
        let span = Self { from_s: self.from_s.max(other.from_s), to_s: self.to_s.min(other.to_s) };
        (span.length_s() > 0.0).then_some(span)
    }

    /// What is left of this when all of `others` (by ascending time) is taken away.
    pub fn without(self, others: &[Self]) -> Vec<Self> {
        let mut left = Vec::new();
        let mut from_s = self.from_s;
        for other in others.iter().filter_map(|other| self.overlap(*other)) {
            if other.from_s > from_s {
                left.push(Self { from_s, to_s: other.from_s });
            }
            from_s = from_s.max(other.to_s);
        }
        if self.to_s > from_s {
            left.push(Self { from_s, to_s: self.to_s });
        }
        left
    }
}

/// Makes one of neighbours that are nearer to each other than `apart_s`.
pub fn join(mut spans: Vec<Span>, apart_s: f64) -> Vec<Span> {
    spans.sort_by(|a, b| a.from_s.total_cmp(&b.from_s));
    let mut joined: Vec<Span> = Vec::new();
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.from_s - last.to_s < apart_s => last.to_s = last.to_s.max(span.to_s),
            _ => joined.push(span),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from_s: f64, to_s: f64) -> Span {
        Span { from_s, to_s }
    }

    #[test]
    fn what_is_taken_away_is_gone_and_the_rest_is_left() {
        let taken = [span(0.0, 1.5), span(2.0, 3.0), span(9.0, 20.0)];
        assert_eq!(span(1.0, 10.0).without(&taken), [span(1.5, 2.0), span(3.0, 9.0)]);
        assert_eq!(span(2.2, 2.8).without(&taken), []);
        assert_eq!(span(4.0, 5.0).without(&taken), [span(4.0, 5.0)]);
    }

    #[test]
    fn neighbours_become_one() {
        let spans = vec![span(2.0, 3.0), span(0.0, 1.0), span(1.0005, 1.5)];
        assert_eq!(join(spans, 0.001), [span(0.0, 1.5), span(2.0, 3.0)]);
    }
}
