//! How often a caller may ask: `6000/min` lets so many come at once after a rest, and gives
//! them back over the time that is named.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

/// What sort of request is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RateClass {
    /// Questions to `api/v1/`, for each token or address.
    Read,
    /// Changes, for each token or address.
    Write,
    /// Tokens that are none, for each address.
    Login,
}

/// How often something may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many at once after a rest.
    pub quota: NonZeroU32,
    /// After this long without a request all of it is there again.
    pub window: Duration,
}

/// The limits of every class; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Of [`RateClass::Read`].
    pub read: Option<Rate>,
    /// Of [`RateClass::Write`].
    pub write: Option<Rate>,
    /// Of [`RateClass::Login`].
    pub login: Option<Rate>,
}

/// `CLASS=RATE` as it stands on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateSetting {
    /// Which class.
    pub class: RateClass,
    /// Its rate; `None` is no limit.
    pub rate: Option<Rate>,
}

/// The text is no limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no limit: expected `read`, `write` or `login`, then `=` and a rate such as `100/s`, \
     `6000/min` or `off`"
)]
pub struct BadRate(String);

const MINUTE: Duration = Duration::from_mins(1);

impl Rate {
    const fn a_minute(count: u32) -> Self {
        let quota = match NonZeroU32::new(count) {
            Some(quota) => quota,
            None => NonZeroU32::MIN,
        };
        Self {
            quota,
            window: MINUTE,
        }
    }
}

impl Default for Rates {
    /// Far above what people and CI do, far below what harms a small machine.
    fn default() -> Self {
        Self {
            read: Some(Rate::a_minute(6_000)),
            write: Some(Rate::a_minute(120_000)),
            login: Some(Rate::a_minute(60)),
        }
    }
}

impl Rates {
    /// The same with a setting applied.
    #[must_use]
    pub const fn with(mut self, setting: RateSetting) -> Self {
        match setting.class {
            RateClass::Read => self.read = setting.rate,
            RateClass::Write => self.write = setting.rate,
            RateClass::Login => self.login = setting.rate,
        }
        self
    }

    /// The limit of a class.
    pub const fn of(&self, class: RateClass) -> Option<Rate> {
        match class {
            RateClass::Read => self.read,
            RateClass::Write => self.write,
            RateClass::Login => self.login,
        }
    }
}

impl RateClass {
    /// Every class.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Login];

    /// The word used in settings, headers and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Login => "login",
        }
    }
}

impl fmt::Display for RateClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for RateSetting {
    type Err = BadRate;

    fn from_str(text: &str) -> Result<Self, BadRate> {
        let bad = || BadRate(text.to_owned());
        let (class, rate) = text.split_once('=').ok_or_else(bad)?;
        let class = RateClass::ALL
            .into_iter()
            .find(|it| it.as_str() == class.trim())
            .ok_or_else(bad)?;
        if rate.trim() == "off" {
            return Ok(Self { class, rate: None });
        }
        let (count, unit) = rate.split_once('/').ok_or_else(bad)?;
        let window = match unit.trim() {
            "s" => Duration::from_secs(1),
            "min" => MINUTE,
            "h" => Duration::from_hours(1),
            _ => return Err(bad()),
        };
        let quota = count.trim().parse().map_err(|_| bad())?;
        Ok(Self {
            class,
            rate: Some(Rate { quota, window }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_they_are_written() {
        let setting: RateSetting = "write=100/s".parse().unwrap();
        assert_eq!(setting.class, RateClass::Write);
        let rate = setting.rate.unwrap();
        assert_eq!((rate.quota.get(), rate.window.as_secs()), (100, 1));
        let off: RateSetting = "read=off".parse().unwrap();
        assert_eq!(Rates::default().with(off).of(RateClass::Read), None);
        assert_eq!(
            "login=5/h"
                .parse::<RateSetting>()
                .unwrap()
                .rate
                .unwrap()
                .window
                .as_secs(),
            3600
        );
        for bad in [
            "",
            "read",
            "read=",
            "read=0/s",
            "read=5",
            "read=5/day",
            "all=5/s",
            "read=-1/s",
        ] {
            let error = bad.parse::<RateSetting>().unwrap_err().to_string();
            assert!(error.contains("6000/min"), "{error}");
        }
    }
}
