//! Money and what is earned on it: amounts in minor units, points by steps of amount, rounding stated.

use std::fmt;

/// An ISO 4217 currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Currency {
    code: [u8; 3],
    minor_digits: u8,
}

/// Currencies in use by minor digits; all others of `OTHERS` have two.
const NO_DIGITS: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
const THREE_DIGITS: &str = "BHD IQD JOD KWD LYD OMR TND";
const TWO_DIGITS: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP \
    CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR \
    IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN \
    NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP \
    STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG";

impl Currency {
    /// The currency of this code, in capitals; `None` if ISO 4217 has none in use.
    pub fn new(code: &str) -> Option<Currency> {
        let lists = [(NO_DIGITS, 0), (TWO_DIGITS, 2), (THREE_DIGITS, 3)];
        let minor_digits = lists.iter().find(|(list, _)| list.split_whitespace().any(|known| known == code))?.1;
        Some(Currency { code: code.as_bytes().try_into().ok()?, minor_digits })
    }

    /// The three letters.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.code).expect("made from a str of the list")
    }

    /// How many digits an amount has after its point.
    pub fn minor_digits(&self) -> u8 {
        self.minor_digits
    }

    /// An amount in minor units as text, without the code: `39.80`.
    pub fn show(&self, amount_minor: i64) -> String {
        let digits = usize::from(self.minor_digits);
        let sign = if amount_minor < 0 { "-" } else { "" };
        let text = format!("{:0width$}", amount_minor.unsigned_abs(), width = digits + 1);
        let (whole, minor) = text.split_at(text.len() - digits);
        if digits == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{minor}") }
    }

    /// Minor units of an amount as text: digits, and if the currency has minor digits a point and exactly so many of
    /// them, or none.
    pub(super) fn parse(&self, text: &str) -> Option<i64> {
        let digits = usize::from(self.minor_digits);
        let (whole, minor) = match text.split_once('.') {
            Some((whole, minor)) if digits > 0 && minor.len() == digits => (whole, minor.to_owned()),
            Some(_) => return None,
            None => (text, "0".repeat(digits)),
        };
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(&minor) {
            return None;
        }
        format!("{whole}{minor}").parse().ok()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Where to round what does not come out even.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// To the next smaller.
    Down,
    /// To the next larger.
    Up,
    /// To the nearest, a half up.
    HalfUp,
    /// To the nearest, a half to the even one.
    HalfEven,
}

impl Rounding {
    /// The words for them in files.
    pub(super) const WORDS: [(&str, Rounding); 4] = [
        ("down", Rounding::Down),
        ("up", Rounding::Up),
        ("half-up", Rounding::HalfUp),
        ("half-even", Rounding::HalfEven),
    ];

    /// `amount / step`, rounded; `amount` at least 0, `step` at least 1.
    pub(super) fn divide(self, amount: i128, step: i128) -> i128 {
        let (whole, rest) = (amount / step, amount % step);
        let up = match self {
            Rounding::Down => false,
            Rounding::Up => rest > 0,
            Rounding::HalfUp => rest >= step - rest,
            Rounding::HalfEven => rest > step - rest || (rest == step - rest && whole % 2 == 1),
        };
        whole + i128::from(up)
    }
}

/// What is rounded: the number of steps, before it is multiplied, or the points, after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounded {
    Steps,
    Points,
}

/// So many points for each step of amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    pub(super) points: i64,
    pub(super) per_minor: i64,
    pub(super) rounding: Rounding,
    pub(super) rounded: Rounded,
}

impl Rate {
    /// The points for an amount; one below zero comes to nothing, what is beyond an i64 is its maximum.
    pub(super) fn points(&self, amount_minor: i64) -> i64 {
        let (amount, points, per) =
            (i128::from(amount_minor.max(0)), i128::from(self.points), i128::from(self.per_minor));
        let earned = match self.rounded {
            Rounded::Steps => self.rounding.divide(amount, per) * points,
            Rounded::Points => self.rounding.divide(amount * points, per),
        };
        i64::try_from(earned).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_the_digits_of_their_currency() {
        let [yen, yuan, dinar] = ["JPY", "CNY", "KWD"].map(|code| Currency::new(code).unwrap());
        assert_eq!([yen, yuan, dinar].map(|currency| currency.minor_digits()), [0, 2, 3]);
        assert_eq!([yen.show(-105), yuan.show(-105), dinar.show(5)], ["-105", "-1.05", "0.005"]);
        assert_eq!(yuan.show(i64::MIN), "-92233720368547758.08");
        assert_eq!([yen.parse("105"), yuan.parse("39.80"), yuan.parse("39")], [105, 3980, 3900].map(Some));
        assert_eq!([yen.parse("1.0"), yuan.parse("1.005"), yuan.parse("1."), dinar.parse("1.00")], [None; 4]);
        assert_eq!((dinar.parse("0.005"), yuan.parse("92233720368547758.08")), (Some(5), None));
        assert_eq!(["RMB", "cny", "", "CNY USD"].map(Currency::new), [None; 4]);
    }

    #[test]
    fn a_half_goes_where_its_mode_says() {
        let modes = [Rounding::Down, Rounding::Up, Rounding::HalfUp, Rounding::HalfEven];
        let by_mode = |amount| modes.map(|mode| mode.divide(amount, 100));
        assert_eq!(by_mode(250), [2, 3, 3, 2]);
        assert_eq!(by_mode(350), [3, 4, 4, 4]);
        assert_eq!(by_mode(249), [2, 3, 2, 2]);
        assert_eq!(by_mode(251), [2, 3, 3, 3]);
        assert_eq!(by_mode(200), [2, 2, 2, 2]);
    }

    #[test]
    fn steps_and_points_round_apart_and_nothing_overflows() {
        let rate = |rounded| Rate { points: 2, per_minor: 1000, rounding: Rounding::Down, rounded };
        assert_eq!([Rounded::Steps, Rounded::Points].map(|rounded| rate(rounded).points(15_00)), [2, 3]);
        let most = Rate { points: i64::MAX, per_minor: 1, rounding: Rounding::Up, rounded: Rounded::Points };
        assert_eq!([most, rate(Rounded::Steps)].map(|rate| rate.points(i64::MAX)), [i64::MAX, i64::MAX / 1000 * 2]);
        assert_eq!([most, rate(Rounded::Steps)].map(|rate| rate.points(-1)), [0, 0]);
    }
}
