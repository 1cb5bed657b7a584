//! How deep JSON is nested, found without parsing it.

use super::FrameError;
use super::bounds::DEPTH_MAX;

/// # Errors
/// [`FrameError::TooDeep`]. Text that is no JSON passes; the parser refuses it.
pub(in crate::wire) fn check(text: &[u8]) -> Result<(), FrameError> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return Err(FrameError::TooDeep);
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_nested_counts_and_not_what_stands_in_strings() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(check(nested(DEPTH_MAX).as_bytes()), Ok(()));
        assert_eq!(check(nested(DEPTH_MAX + 1).as_bytes()), Err(FrameError::TooDeep));
        assert_eq!(check(nested(2).repeat(1_000).as_bytes()), Ok(()));
        assert_eq!(check(format!(r#"["\"{}"]"#, "[".repeat(99)).as_bytes()), Ok(()));
        assert_eq!(check(format!(r#"["\\"{}"#, "[".repeat(99)).as_bytes()), Err(FrameError::TooDeep));
    }
}
