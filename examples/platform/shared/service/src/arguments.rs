//! Arguments of the form `--flag VALUE` or `--flag=VALUE`, with `--help` and `--version` for free.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// One flag that takes a value.
#[derive(Debug, Clone, Copy)]
pub struct Flag {
    /// With its dashes: `--listen`.
    pub name: &'static str,
    /// What the value is: `ADDR`.
    pub value: &'static str,
    /// One line for the help.
    pub help: &'static str,
}

/// The values that were given.
#[derive(Debug, Default)]
pub struct Arguments {
    values: BTreeMap<&'static str, String>,
}

/// What the arguments ask for.
#[derive(Debug)]
pub enum Outcome {
    /// Run with these values.
    Run(Arguments),
    /// Print this on stdout and end well.
    Print(String),
    /// Print this on stderr and exit with 2.
    Usage(String),
}

impl Arguments {
    /// Reads the words after the program's name.
    pub fn read(
        program: &str,
        about: &str,
        version: &str,
        flags: &'static [Flag],
        words: impl IntoIterator<Item = String>,
    ) -> Outcome {
        let mut values = BTreeMap::new();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "-h" | "--help" => return Outcome::Print(help(program, about, flags)),
                "-V" | "--version" => return Outcome::Print(format!("{program} {version}")),
                _ => {}
            }
            let (name, attached) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (word.as_str(), None),
            };
            let Some(flag) = flags.iter().find(|flag| flag.name == name) else {
                return Outcome::Usage(format!("error: unknown argument `{word}`\nhint: {program} --help"));
            };
            let Some(value) = attached.or_else(|| words.next()) else {
                return Outcome::Usage(format!("error: `{name}` needs {}\nhint: {program} --help", flag.value));
            };
            values.insert(flag.name, value);
        }
        Outcome::Run(Self { values })
    }

    /// The value of a flag, where it was given.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }
}

fn help(program: &str, about: &str, flags: &[Flag]) -> String {
    let mut text = format!("{about}\n\nUsage: {program} [OPTIONS]\n\nOptions:\n");
    for flag in flags {
        let left = format!("{} {}", flag.name, flag.value);
        writeln!(text, "  {left:<24} {}", flag.help).expect("a String takes every write");
    }
    text.push_str("  --version                print the version\n  --help                   print this");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: &[Flag] = &[Flag { name: "--listen", value: "ADDR", help: "where to listen" }];

    fn read(words: &[&str]) -> Outcome {
        Arguments::read("it", "It serves.", "1.2.3", FLAGS, words.iter().map(|word| (*word).to_owned()))
    }

    #[test]
    fn both_ways_to_give_a_value_are_read() {
        for words in [&["--listen", "a:1"][..], &["--listen=a:1"]] {
            let Outcome::Run(arguments) = read(words) else { panic!("{words:?}") };
            assert_eq!(arguments.value("--listen"), Some("a:1"));
        }
    }

    #[test]
    fn help_and_version_are_printed() {
        let Outcome::Print(help) = read(&["--help"]) else { panic!() };
        assert!(help.contains("--listen ADDR"), "{help}");
        let Outcome::Print(version) = read(&["--version"]) else { panic!() };
        assert_eq!(version, "it 1.2.3");
    }

    #[test]
    fn unknown_words_and_missing_values_are_usage_errors() {
        for words in [&["--lisen", "x"][..], &["serve"], &["--listen"]] {
            assert!(matches!(read(words), Outcome::Usage(_)), "{words:?}");
        }
    }
}
