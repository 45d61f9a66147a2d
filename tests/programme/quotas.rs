//! Quotas by window, day, week, month and life, by tier and by store; and the stores they can be by.

use super::campaigns::priced;
use super::*;

#[test]
fn quotas_are_by_window_day_week_month_and_life_and_by_store() {
    let compiled = compiled(&priced(
        "quota = [{ each = \"day\", total = 50, by_tier = { gold = 5 } }, { each = \"life\", total = 9, per = \"store\" }, \
         { each = \"window\", total = 8, unsold = \"carried\" }]",
        "quota = { each = \"week\", by_store = { sh-02 = 4, sh-01 = 3 }, unsold = \"dropped\" }",
    ));
    let gold = compiled.programme.tiers[1].number;
    let campaign = &compiled.programme.campaigns[0];
    let of = |each, store, total| Quota { store, each, ..quota(None, total) };
    assert_eq!(
        campaign.quotas,
        [
            of(Each::Day, ForStore::All, 50),
            Quota { each: Each::Day, ..quota(Some(gold), 5) },
            of(Each::Life, ForStore::Each, 9),
            Quota { carried: true, ..quota(None, 8) },
        ]
    );
    let (one, two) = (ForStore::One(1), ForStore::One(2));
    assert_eq!(campaign.offers[0].quotas, [of(Each::Week, two, 4), of(Each::Week, one, 3)]);
}

#[test]
fn quotas_are_refused_where_they_say_two_things_at_once() {
    let of = |text: &str, expected: &[&str]| says(&priced("", &format!("quota = {text}")), expected);
    of(
        "{ each = \"day\", per = \"store\" }",
        &["21:9: error: `campaign.c.offer[1].quota.total` is missing; add it: total = 50: so many at each store"],
    );
    of(
        "{ each = \"day\", total = 5, per = \"shop\" }",
        &["21:42: error: `campaign.c.offer[1].quota.per` is \"shop\"; write \"store\""],
    );
    of(
        "{ each = \"day\", total = 5, per = \"store\", by_store = { sh-01 = 5 } }",
        &["21:51: error: `by_store` stands beside `per`; write two tables: quota = [{ … }, { … }]"],
    );
    of(
        "{ each = \"day\", total = 5, per = \"store\", by_tier = { gold = 5 } }",
        &["21:51: error: `by_tier` stands beside a quota by store; write two tables: quota = [{ … }, { … }]"],
    );
    of(
        "{ each = \"day\", by_tier = { gold = 5 }, by_store = { sh-01 = 5, sh-03 = 5 } }",
        &[
            "21:25: error: `by_tier` stands beside a quota by store; write two tables: quota = [{ … }, { … }]",
            "21:73: error: there is no store \"sh-03\"; add it to the programme's `stores`",
        ],
    );
    of(
        "{ each = \"day\", total = 5, unsold = \"carried\" }",
        &["21:45: error: only what a window leaves is carried to the next; write each = \"window\", or leave it out"],
    );
    of(
        "{ each = \"window\", total = 5, by_tier = { gold = 5 }, unsold = \"carried\" }",
        &["21:72: error: only what is left of a total over all is carried; write two tables: quota = [{ … }, { … }]"],
    );
    of(
        "{ each = \"window\", by_store = { sh-01 = 5 }, unsold = \"kept\" }",
        &["21:63: error: `campaign.c.offer[1].quota.unsold` is \"kept\"; write \"carried\" or \"dropped\""],
    );
    of(
        "[{ each = \"day\", total = 5 }, { each = \"week\", total = 5 }, { each = \"day\", total = 6 }]",
        &["21:69: error: what this quota counts has a quota already; keep one of them"],
    );
    of(
        "[{ each = \"day\", by_store = { sh-01 = 1 } }, { each = \"day\", by_store = { sh-02 = 1 } }, { each = \"day\", total = 9, by_store = { sh-01 = 2 } }]",
        &["21:98: error: what this quota counts has a quota already; keep one of them"],
    );
    of("{ each = \"day\" }", &["21:9: error: `campaign.c.offer[1].quota.total` is missing; add it: total = 5000"]);
    let no_stores = priced("quota = { each = \"day\", total = 5, per = \"store\" }", "");
    says(
        &no_stores.replace("stores = [\"sh-01\", \"sh-02\"]\n", ""),
        &["16:42: error: the programme names no stores; add them: stores = [\"sh-01\", \"sh-02\"]"],
    );
}

#[test]
fn quotas_that_can_never_be_used_up_are_warned_of() {
    says(
        &priced("quota = { each = \"day\", total = 5 }", "quota = { each = \"day\", total = 6 }"),
        &[
            "18:1: warning: the quota of 6 is more than the campaign's 5; it can never be used up; lower it, or raise the campaign's",
        ],
    );
    says(&priced("quota = { each = \"day\", total = 5 }", "quota = { each = \"week\", total = 6 }"), &[]);
    let stores = "quota = [{ each = \"day\", total = 5, per = \"store\" }, { each = \"day\", by_store = { sh-01 = 6, sh-02 = 4 } }]";
    says(
        &priced(stores, ""),
        &[
            "17:9: warning: the quota of 6 is more than every store's 5; it can never be used up; lower it, or raise every store's",
        ],
    );
    says(
        &priced(
            "quota = { each = \"day\", total = 5, per = \"store\" }",
            "quota = { each = \"day\", by_store = { sh-01 = 6 } }",
        ),
        &[
            "18:1: warning: the quota of 6 is more than the campaign's 5; it can never be used up; lower it, or raise the campaign's",
        ],
    );
    let carried = "quota = { each = \"window\", total = 5, unsold = \"carried\" }";
    says(&priced(carried, "quota = { each = \"window\", total = 6 }"), &[]);
    says(
        &priced("", "quota = { each = \"day\", total = 5, by_store = { sh-01 = 6 } }"),
        &[
            "21:57: warning: the quota of 6 for \"sh-01\" is more than the total; it can never be used up; lower it, or raise the total",
        ],
    );
}

#[test]
fn a_redemption_counts_in_at_most_eight_cells() {
    // For everybody, for one tier of two, at every store, at one store: four for each of these.
    let list = |eaches: &[&str]| {
        let tables = eaches.iter().map(|each| {
            format!(
                "{{ each = \"{each}\", total = 1, by_tier = {{ basic = 1, gold = 1 }} }}, {{ each = \"{each}\", total = 1, per = \"store\" }}, \
                 {{ each = \"{each}\", by_store = {{ sh-01 = 1, sh-02 = 1 }} }}"
            )
        });
        format!("quota = [{}]", tables.collect::<Vec<_>>().join(", "))
    };
    // What an offer has for each window is its own cell.
    says(&priced(&list(&["day"]), &list(&["window"])), &[]);
    says(&priced("", &list(&["day"])), &[]);
    says(&priced("", &list(&["day", "window"])), &[]);
    says(
        &priced(&list(&["life"]), &list(&["day"])),
        &[
            "18:1: error: one redemption of this offer can count in 9 cells: its own, and one for each quota that applies; leave quotas of it, or of the campaign, out: 8 cells are the most",
        ],
    );
    says(
        &priced("", &list(&["day", "week"])),
        &[
            "18:1: error: one redemption of this offer can count in 9 cells: its own, and one for each quota that applies; leave quotas of it, or of the campaign, out: 8 cells are the most",
        ],
    );
}

#[test]
fn stores_have_numbers_of_their_own_given_once() {
    let file = |stores: &[&str]| bundle(&format!("{HEAD}stores = {stores:?}\n"));
    let numbers = |compiled: &Compiled| -> Vec<u16> {
        let stores = ["a", "b", "c"].map(|slug| compiled.programme.store(slug).map_or(0, |store| store.number));
        stores.to_vec()
    };
    let first = compile(&file(&["b", "a"]), &Numbering::default()).unwrap();
    assert_eq!(numbers(&first), [2, 1, 0]);
    let text = "{\"version\":2,\"campaigns\":{},\"tiers\":{\"member\":1},\"channels\":{},\"stores\":{\"a\":2,\"b\":1}}";
    assert_eq!(first.numbering.to_text(), text);
    let second = compile(&file(&["c", "a"]), &Numbering::from_text(text).unwrap()).unwrap();
    assert_eq!(numbers(&second), [2, 0, 3]);
    let third = compile(&file(&["b"]), &second.numbering).unwrap();
    assert_eq!((numbers(&third), &third.numbering), (vec![0, 1, 0], &second.numbering));
    let without = compile(&bundle(HEAD), &Numbering::default()).unwrap();
    assert!(!without.numbering.to_text().contains("stores") && without.numbering.to_text().contains("\"version\":1"));
    for (wrong, why) in [
        (text.replace("\"b\":1", "\"b\":3"), "store \"b\" the number 3"),
        (text.replace("\"version\":2", "\"version\":1"), "version 1"),
    ] {
        let error = Numbering::from_text(&wrong).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn stores_are_names_and_bounded() {
    says(
        &format!("{HEAD}stores = [\"a\", \"a\", \" b\"]\n"),
        &[
            "5:16: error: \"a\" is listed twice; list it once",
            "5:21: error: \" b\" cannot be a name; use 1 to 64 bytes of text without line breaks, and without spaces at its ends",
        ],
    );
    let stores = |most: usize| {
        let names: Vec<String> = (1..=most).map(|number| format!("sh-{number}")).collect();
        format!("{HEAD}stores = {names:?}\n")
    };
    assert_eq!(compiled(&stores(1_000)).programme.stores.len(), 1_000);
    says(&stores(1_001), &["5:10: error: there are 1001 stores; a programme has at most 1000"]);
}
