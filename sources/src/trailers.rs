//! The trailers at the end of commit messages that pair commits of two repositories.
//!
//! `From-source-git-commit` and `From-dist-git-commit` are Packit's; `Source-package` says
//! which package of the source repository a pair is about, so that each has its own.

/// In a downstream commit: the source commit that it brings.
pub const FROM_SOURCE: &str = "From-source-git-commit";
/// In a source commit: the downstream commit that it brings.
pub const FROM_DOWNSTREAM: &str = "From-dist-git-commit";
/// In both: the package's key.
pub const PACKAGE: &str = "Source-package";

/// The values of a trailer in a message, in order.
pub fn values<'m>(message: &'m str, name: &str) -> Vec<&'m str> {
    let value = |line: &'m str| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim());
    let found = message.lines().filter_map(value);
    found.filter(|it| !it.is_empty()).collect()
}

/// A message with more trailers at its end.
pub fn with(message: &str, trailers: &[(&str, &str)]) -> String {
    let body = message.trim_end();
    let mut text = body.to_owned();
    let last = body.rsplit("\n\n").next().unwrap_or(body);
    let has_block = last.len() < body.len() && last.lines().all(is_trailer);
    text.push_str(if has_block { "\n" } else { "\n\n" });
    for (name, value) in trailers {
        text.extend([name, ": ", value, "\n"]);
    }
    text
}

/// A message without these trailers, so that what is carried twice is paired once.
pub fn without(message: &str, names: &[&str]) -> String {
    let is_named = |line: &&str| {
        let name = line.split_once(':').map(|(name, _)| name);
        name.is_some_and(|it| names.contains(&it))
    };
    let kept: Vec<&str> = message.lines().filter(|it| !is_named(it)).collect();
    kept.join("\n").trim_end().to_owned()
}

/// `Token: value`, or the continuation of one.
fn is_trailer(line: &str) -> bool {
    if line.starts_with([' ', '\t']) {
        return true;
    }
    line.split_once(": ").is_some_and(|(name, _)| {
        !name.is_empty()
            && name
                .chars()
                .all(|it| it.is_ascii_alphanumeric() || it == '-')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailers_join_the_block_that_is_there_or_begin_one() {
        let one = [("Source-package", "a")];
        assert_eq!(with("subject", &one), "subject\n\nSource-package: a\n");
        assert_eq!(
            with("area: subject", &one),
            "area: subject\n\nSource-package: a\n"
        );
        assert_eq!(
            with("s\n\ntext\n\nSigned-off-by: A <a@b>\n", &one),
            "s\n\ntext\n\nSigned-off-by: A <a@b>\nSource-package: a\n"
        );
        assert_eq!(
            with("s\n\nsome text", &one),
            "s\n\nsome text\n\nSource-package: a\n"
        );
    }

    #[test]
    fn values_are_read_and_taken_out_again() {
        let message = with("s", &[(FROM_SOURCE, "1"), (PACKAGE, "a")]);
        assert_eq!(values(&message, FROM_SOURCE), ["1"]);
        assert_eq!(values(&message, "From-source"), Vec::<&str>::new());
        assert_eq!(without(&message, &[FROM_SOURCE, PACKAGE]), "s");
    }
}
