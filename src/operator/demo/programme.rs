//! The programmes of the demo: the shipped ones, and one whose monthly window opens when the demo says.

use std::path::{Path, PathBuf};

use jiff::{Span, Timestamp, tz::TimeZone};

/// The demo's programme.
pub const SLUG: &str = "harbour-club";
/// Its campaign.
pub const CAMPAIGN: &str = "monthly-gift";
/// Its channel.
pub const CHANNEL: &str = "store";
/// Its brand.
pub const BRAND: &str = "house";
/// Its time zone.
pub const ZONE: &str = "America/New_York";
/// Units of its one offer.
pub const QUOTA: u64 = 150_000;
/// How often one member may redeem in a window.
pub const TIMES_MOST: u64 = 250;

/// A tier: from how many points on, and what the offer costs in it.
#[derive(Debug, Clone, Copy)]
pub struct Tier {
    /// Its id.
    pub slug: &'static str,
    /// Points earned over a lifetime.
    pub from: i64,
    /// The offer's price, points.
    pub price: i64,
}

/// Its tiers, rising.
pub const TIERS: [Tier; 3] = [
    Tier { slug: "basic", from: 0, price: 4 },
    Tier { slug: "silver", from: 300, price: 3 },
    Tier { slug: "gold", from: 1_000, price: 2 },
];

const SHIPPED: [(&str, &str); 3] = [
    ("monthly-exchange", include_str!("../../../programmes/monthly-exchange/programme.toml")),
    ("flash-sale", include_str!("../../../programmes/flash-sale/programme.toml")),
    ("check-in", include_str!("../../../programmes/check-in/programme.toml")),
];

/// Writes the shipped bundles and the demo's into folders of `directory`; gives the folders.
pub fn write_all(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let real = text("20 10:00", "last 24:00");
    let bundles = SHIPPED.iter().map(|(slug, text)| (*slug, (*text).to_owned())).chain([(SLUG, real)]);
    let mut written = Vec::new();
    for (slug, text) in bundles {
        let folder = directory.join(slug);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("programme.toml"), text)?;
        written.push(folder);
    }
    Ok(written)
}

/// The demo's programme with its window moved: it opens at `opens`, a whole second, instead of on the 20th at 10:00.
pub fn opening_at(opens: Timestamp) -> String {
    let local = TimeZone::get(ZONE).expect("the time zones are built in").to_datetime(opens);
    let from = format!("{} {}", local.day(), local.strftime("%H:%M:%S"));
    // So that the window is never shorter than the event, even in a month's last minutes.
    let soon = local.checked_add(Span::new().hours(2)).expect("the present is far from the calendar's end");
    text(&from, if soon.month() == local.month() { "last 24:00" } else { "1 24:00" })
}

fn text(from: &str, until: &str) -> String {
    let tier = |tier: &Tier| format!("[[tier]]\nslug = \"{}\"\nfrom = {}\n\n", tier.slug, tier.from);
    let tiers: String = TIERS.iter().map(tier).collect();
    let price = TIERS.map(|tier| format!("{} = {{ points = {} }}", tier.slug, tier.price)).join(", ");
    format!(
        r#"programme = "{SLUG}"
title = {{ zh = "海港会员", en = "Harbour Club" }}
zone = "{ZONE}"
currency = "USD"
brands = ["{BRAND}"]
channels = ["{CHANNEL}"]

{tiers}[earning]
points = 1
per = "1.00"
rounding = "down"

[orders]
remember = "180d"

[campaign.{CAMPAIGN}]
title = {{ zh = "每月好礼", en = "Monthly gift" }}
window = {{ every = "month", from = "{from}", until = "{until}" }}
per_member = {{ times = {TIMES_MOST}, each = "window", over = "all offers" }}

[[campaign.{CAMPAIGN}.offer]]
sku = "GIFT-1"
title = {{ zh = "礼品", en = "Gift" }}
price = {{ {price} }}
quota = {{ each = "window", total = {QUOTA} }}
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programme::{Bundle, BundleFile, Compiled, Numbering, Span, compile};

    fn compiled(text: String) -> Compiled {
        let files = vec![BundleFile { name: "programme.toml".into(), text }];
        compile(&Bundle::from_files(files).unwrap(), &Numbering::default()).unwrap_or_else(|report| panic!("{report}"))
    }

    #[test]
    fn the_window_opens_at_the_second_asked_for_and_stays_open_for_an_hour() {
        // Among them the last second of a month, a leap day, and a year's end; none in an hour that the clock shows twice.
        for instant in ["2026-11-23T23:40:12Z", "2026-12-01T04:59:58Z", "2028-02-29T12:00:00Z", "2027-01-01T04:59:59Z"]
        {
            let opens: Timestamp = instant.parse().unwrap();
            let programme = compiled(opening_at(opens)).programme;
            let window = &programme.campaigns[0].window;
            let opens_ms = opens.as_millisecond();
            assert!(!matches!(window.at(opens_ms - 1), Span::Open { .. }), "{instant}");
            let Span::Open { opens_ms: opened, closes_ms, .. } = window.at(opens_ms) else { panic!("{instant}") };
            assert_eq!(opened, opens_ms, "{instant}");
            assert!(closes_ms - opens_ms >= 3_600_000, "{instant}");
        }
    }

    #[test]
    fn all_bundles_compile_without_warnings() {
        let directory = tempfile::tempdir().unwrap();
        for folder in write_all(directory.path()).unwrap() {
            let compiled = compile(&Bundle::read(&folder).unwrap(), &Numbering::default());
            assert!(compiled.is_ok_and(|compiled| compiled.warnings.is_empty()), "{}", folder.display());
        }
    }
}
