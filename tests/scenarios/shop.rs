//! Shops: prices in money and points, checkouts that are held until they are paid, points as part payment, priority purchase.

use tidegate_protocol::Body;
use tidegate_protocol::answer::{Cancelled, Confirmed, Held};
use tidegate_protocol::code::{answer, name};
use tidegate_protocol::refusal::Plain;

use super::stage::{Basket, Stage};

const SHOP: Basket = Basket { campaign: "shop", offers: &[], store: "changsha-01", points: 0, lines: &[], rights: &[] };

fn held(answer: &tidegate_client::Answer) -> Held {
    let Body::Held(held) = &answer.body else { panic!("{} {:?}", name(answer.code), answer.body) };
    *held
}

fn confirmed(answer: &tidegate_client::Answer) -> Confirmed {
    let Body::Confirmed(confirmed) = &answer.body else { panic!("{} {:?}", name(answer.code), answer.body) };
    *confirmed
}

fn cancelled(answer: &tidegate_client::Answer) -> Cancelled {
    let Body::Cancelled(cancelled) = &answer.body else { panic!("{} {:?}", name(answer.code), answer.body) };
    *cancelled
}

#[tokio::test]
async fn a_shop_takes_money_points_or_both_and_holds_the_checkout() {
    let mut stage = Stage::open("tea-shop", "2026-03-30 12:00").await;
    for (member, yuan) in [(1, 500), (2, 2_500)] {
        stage.enrol(member).await;
        stage.order(member, &format!("{member}"), yuan).await;
    }
    // What costs money is held until it is paid; a quota by store asks for one.
    assert_eq!(stage.redeem_named(1, "shop", "THERMOS-BOX").await, Body::Plain(Plain {}), "it is not given away");
    let umbrella = Basket { offers: &[("UMBRELLA", 1)], ..SHOP };
    assert_eq!(stage.hold(1, Basket { store: "", ..umbrella }).await.code, answer::STORE_MISSING);
    assert_eq!(stage.hold(1, Basket { store: "nowhere", ..umbrella }).await.code, answer::UNKNOWN_STORE);
    let basket = Basket { offers: &[("UMBRELLA", 2), ("THERMOS-BOX", 1), ("POSTCARD", 1)], ..SHOP };
    let basic = stage.hold(1, basket).await;
    let told = held(&basic);
    assert_eq!((told.money_minor, told.before, told.after), (2 * 59_00 + 9_90, 500, 270));
    assert_eq!(told.until_ms, stage.instant_ms("2026-03-30 12:20"));
    let gold = stage.hold(2, umbrella).await;
    assert_eq!((held(&gold).money_minor, held(&gold).after), (39_00, 2_500), "a gold member's price");
    // All of the shop; of umbrellas in a window, in each store a day; of postcards in a week; of boxes for good, and to basic members.
    assert_eq!(
        stage.quotas("shop").await,
        [(50, 5, 5), (8, 3, 3), (4, 3, 3), (4, 0, 0), (6, 1, 1), (5, 1, 1), (3, 1, 1)]
    );
    // Paid: the umbrellas and the postcard; of the box the member thought better.
    let told = confirmed(&stage.confirm_part(1, basic.id, ("shop", &[("UMBRELLA", 2), ("POSTCARD", 1)]), 0).await);
    assert_eq!((told.spent, told.before, told.after), (30, 270, 470));
    // The other one never paid: at its instant it is over.
    stage.at("2026-03-30 12:20").await;
    assert_eq!(stage.confirm(2, gold.id).await.code, answer::NO_SUCH_HOLD);
    assert_eq!(
        stage.quotas("shop").await,
        [(50, 3, 0), (8, 2, 0), (4, 2, 0), (4, 0, 0), (6, 1, 0), (5, 0, 0), (3, 0, 0)]
    );
}

#[tokio::test]
async fn limits_and_quotas_count_by_day_week_month_and_life_at_once() {
    let mut stage = Stage::open("tea-shop", "2026-03-30 12:00").await;
    for member in 1..9 {
        stage.enrol(member).await;
        stage.order(member, &format!("{member}"), 1_900).await;
    }
    let umbrellas = Basket { offers: &[("UMBRELLA", 2)], ..SHOP };
    let buy = async |stage: &Stage, member: u64, basket: Basket| {
        let hold = stage.hold(member, basket).await;
        if hold.code == answer::HELD {
            confirmed(&stage.confirm(member, hold.id).await);
        }
        hold.code
    };
    // Two of each offer a day; the store has four a day.
    assert_eq!(buy(&stage, 1, umbrellas).await, answer::HELD);
    assert_eq!(buy(&stage, 1, Basket { offers: &[("UMBRELLA", 1)], ..SHOP }).await, answer::LIMIT_REACHED);
    assert_eq!(buy(&stage, 2, umbrellas).await, answer::HELD);
    assert_eq!(buy(&stage, 3, umbrellas).await, answer::SOLD_OUT);
    assert_eq!(buy(&stage, 3, Basket { store: "changsha-02", ..umbrellas }).await, answer::HELD);
    // The next day, with the store's four anew, and two that are left of the month's eight.
    stage.at("2026-03-31 12:00").await;
    assert_eq!(buy(&stage, 1, Basket { offers: &[("UMBRELLA", 1)], ..SHOP }).await, answer::HELD);
    // Five a month over all offers: three of member 1's are used, then five.
    assert_eq!(buy(&stage, 1, Basket { offers: &[("POSTCARD", 2)], ..SHOP }).await, answer::HELD);
    assert_eq!(buy(&stage, 1, Basket { offers: &[("THERMOS-BOX", 1)], ..SHOP }).await, answer::LIMIT_REACHED);
    // A piece that is left of the month's eight comes on top of April's: nine.
    stage.at("2026-04-01 00:00").await;
    assert_eq!(stage.quotas("shop").await[1], (9, 0, 0));
    assert_eq!(buy(&stage, 1, umbrellas).await, answer::HELD, "a new month");
    assert_eq!(stage.quotas("shop").await[1], (9, 2, 0));
    // Postcards are counted by the week, which goes on: four are left of six.
    for member in [4, 5] {
        assert_eq!(buy(&stage, member, Basket { offers: &[("POSTCARD", 2)], ..SHOP }).await, answer::HELD);
    }
    assert_eq!(buy(&stage, 6, Basket { offers: &[("POSTCARD", 1)], ..SHOP }).await, answer::SOLD_OUT);
    stage.at("2026-04-06 00:00").await;
    assert_eq!(buy(&stage, 6, Basket { offers: &[("POSTCARD", 1)], ..SHOP }).await, answer::HELD, "a new week");
    // Boxes are five for good, three of them for basic members.
    for member in [4, 5, 6] {
        assert_eq!(buy(&stage, member, Basket { offers: &[("THERMOS-BOX", 1)], ..SHOP }).await, answer::HELD);
    }
    assert_eq!(buy(&stage, 7, Basket { offers: &[("THERMOS-BOX", 1)], ..SHOP }).await, answer::SOLD_OUT);
    stage.at("2026-09-01 00:00").await;
    stage.order(7, "7-b", 60).await;
    assert_eq!(buy(&stage, 7, Basket { offers: &[("THERMOS-BOX", 1)], ..SHOP }).await, answer::NOT_ENOUGH_POINTS);
    // What it earned has expired; who is gold by then is bound by the five alone.
    stage.order(7, "7-c", 900).await;
    assert_eq!(buy(&stage, 7, Basket { offers: &[("THERMOS-BOX", 1)], ..SHOP }).await, answer::HELD);
}

#[tokio::test]
async fn segments_have_their_own_price_and_their_own_campaign() {
    let stage = Stage::open("tea-shop", "2026-03-02 12:00").await;
    stage.enrol(1).await;
    stage.order(1, "1", 200).await;
    let seat = Basket { campaign: "tasting", offers: &[("SEAT", 1)], ..SHOP };
    assert_eq!(stage.hold(1, seat).await.code, answer::TAG_MISSING);
    let Body::Granted(granted) = stage.redeem_named(1, "shop", "POSTCARD").await else { panic!("not granted") };
    assert_eq!((granted.before, granted.after), (200, 170));
    assert_eq!(stage.set_tag(1, "老饕", true).await.code, answer::TAG_SET);
    let Body::Granted(granted) = stage.redeem_named(1, "shop", "POSTCARD").await else { panic!("not granted") };
    assert_eq!((granted.before, granted.after), (170, 160), "whom the tag names it costs less");
    // The other store has no quota of its own; the first has two.
    let two = Basket { offers: &[("SEAT", 2)], ..seat };
    let hold = stage.hold(1, two).await;
    assert_eq!(confirmed(&stage.confirm(1, hold.id).await).spent, 100);
    let [(right, count, _)] = &stage.rights(1).await[..] else { panic!("no right") };
    assert_eq!((right.as_str(), *count), ("tasting", 2));
    assert_eq!(stage.hold(1, seat).await.code, answer::SOLD_OUT);
    assert_eq!(stage.hold(1, Basket { store: "changsha-02", ..seat }).await.code, answer::HELD);
}

#[tokio::test]
async fn points_pay_part_of_an_order_and_come_back_with_a_grace() {
    let mut stage = Stage::open("tea-shop", "2026-03-01 12:00").await;
    stage.enrol(1).await;
    stage.order(1, "1", 6_000).await;
    let order: &[(&str, &str, i64)] =
        &[("TEA-1", "tea", 80), ("CARD-1", "gift-card", 100), ("CUP-LIMITED", "cups", 40)];
    let pays = |points: i64| Basket { campaign: "shop", points, lines: order, ..Basket::default() };
    // Half of the eighty that they may pay for: four thousand points, in steps of fifty, at least a hundred.
    for points in [4_050, 50, 120, -100] {
        let told = stage.hold(1, pays(points)).await;
        let code = if points < 0 { answer::INVALID_AMOUNT } else { answer::TENDER_REFUSED };
        assert_eq!(told.code, code, "{points}");
        if let Body::TenderRefused(why) = told.body {
            assert_eq!((why.least, why.step, why.most), (100, 50, 4_000));
        }
    }
    let small = Basket { campaign: "shop", points: 100, lines: &[("TEA-1", "tea", 49)], ..Basket::default() };
    let Body::TenderRefused(why) = stage.hold(1, small).await.body else { panic!("an order below fifty") };
    assert_eq!(why.most, 0);
    let hold = stage.hold(1, pays(4_000)).await;
    assert_eq!((held(&hold).before, held(&hold).after), (6_000, 2_000));
    // Of the order a part was delivered, and is paid with three thousand.
    let told = confirmed(&stage.confirm_part(1, hold.id, ("shop", &[]), 3_000).await);
    assert_eq!((told.spent, told.after), (3_000, 3_000));

    // At the end of the last day of March all of it expires, but for what is held then; that lives for a week more, once.
    stage.at("2026-03-31 23:59").await;
    let (kept, gone) = (stage.hold(1, pays(2_000)).await, stage.hold(1, pays(500)).await);
    assert_eq!((held(&kept).after, held(&gone).after), (1_000, 500));
    stage.at("2026-04-01 00:10").await;
    assert_eq!(stage.member(1).await.balance, 0);
    let told = cancelled(&stage.cancel(1, kept.id).await);
    assert_eq!((told.gone, told.before, told.after), (0, 0, 2_000));
    let lots = stage.lots(1).await;
    let lots: Vec<_> =
        lots.lots.as_slice().iter().map(|lot| (lot.points, lot.expires_ms, lot.source.to_string())).collect();
    assert_eq!(lots, [(2_000, stage.instant_ms("2026-04-08 00:10"), "grace".to_owned())]);
    // The other one is given back by the clock.
    stage.at("2026-04-01 00:19").await;
    assert_eq!(stage.member(1).await.balance, 2_500);
    let again = stage.hold(1, pays(2_000)).await;
    assert_eq!(again.code, answer::HELD);
    stage.at("2026-04-08 00:11").await;
    assert_eq!(
        stage.member(1).await.balance,
        500,
        "held for twenty minutes, it came back long ago, and is gone; the rest goes at 00:19"
    );
    stage.at("2026-04-08 00:19").await;
    assert_eq!(stage.member(1).await.balance, 0);
}

#[tokio::test]
async fn black_cards_buy_first_of_the_same_stock() {
    let mut stage = Stage::open("black-first", "2026-03-20 09:00").await;
    for (member, yuan) in [(1, 600), (2, 1_500), (3, 6_000), (4, 6_000), (5, 900)] {
        stage.enrol(member).await;
        stage.order(member, &format!("{member}"), yuan).await;
    }
    let opens = async |stage: &Stage, member: u64| match stage.redeem_named(member, "new-season", "COAT").await {
        Body::NotOpen(why) => (why.opens_ms, why.hold_ms),
        other => panic!("{other:?}"),
    };
    let at = |stage: &Stage, reading: &str| stage.instant_ms(reading);
    stage.at("2026-03-20 09:29").await;
    assert_eq!(opens(&stage, 3).await, (at(&stage, "2026-03-20 09:30"), 1_000));
    assert_eq!(opens(&stage, 2).await.0, at(&stage, "2026-03-20 09:50"));
    assert_eq!(opens(&stage, 1).await, (at(&stage, "2026-03-20 10:00"), 1_000));
    stage.at("2026-03-20 09:30").await;
    let grant = async |stage: &Stage, member: u64| match stage.redeem_named(member, "new-season", "COAT").await {
        Body::Granted(granted) => granted.grant,
        other => panic!("{other:?}"),
    };
    assert_eq!(grant(&stage, 3).await, 1);
    // No gateway keeps a "not yet open" that others would be refused by.
    assert_eq!(opens(&stage, 2).await, (at(&stage, "2026-03-20 09:50"), 0));
    stage.at("2026-03-20 09:50").await;
    assert_eq!(grant(&stage, 2).await, 2);
    assert_eq!(opens(&stage, 1).await, (at(&stage, "2026-03-20 10:00"), 0));
    stage.at("2026-03-20 10:00").await;
    assert_eq!(grant(&stage, 1).await, 3);
    // One stock, one window, one limit: neither is there more, nor again.
    let Body::SoldOut(_) = stage.redeem_named(5, "new-season", "COAT").await else { panic!("a fourth coat") };
    let Body::LimitReached(_) = stage.redeem_named(3, "new-season", "COAT").await else { panic!("a second coat") };
}
