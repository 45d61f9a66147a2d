//! What is open at its time: a month of exchange, a day of the week.

use tidegate_protocol::Body;
use tidegate_protocol::code::answer;

use super::stage::Stage;

const DECEMBER: u32 = 1;
const LIPSTICK: u32 = 1;
const POWDER: u32 = 2;

/// Points are saved all year and exchanged in December; none expires before the window meant for it, and all the rest with its end.
#[tokio::test]
async fn saved_all_year_and_exchanged_in_december() {
    let mut stage = Stage::open("december-exchange", "2026-01-05 12:00").await;
    let (this_year_ms, next_year_ms) = (stage.instant_ms("2027-01-01 00:00"), stage.instant_ms("2028-01-01 00:00"));
    stage.enrol(1).await;
    stage.order(1, "T-1", 900).await;
    stage.at("2026-06-18 20:00").await;
    stage.order(1, "T-2", 600).await;
    stage.check_in(1).await;
    // Of one year, whenever they were earned; the check-in's by themselves.
    assert_eq!(stage.expiries(1).await, [(1_500, this_year_ms), (1, this_year_ms)]);

    stage.at("2026-11-30 23:59:59.999").await;
    let Body::NotOpen(told) = stage.redeem(1, DECEMBER, LIPSTICK).await else { panic!("it opens in December") };
    assert_eq!(told.opens_ms, stage.instant_ms("2026-12-01 00:00"));
    stage.at("2026-12-01 00:00").await;
    let Body::Granted(granted) = stage.redeem(1, DECEMBER, LIPSTICK).await else { panic!("it is open") };
    assert_eq!((granted.before, granted.after, granted.grant), (1_501, 701, 1));

    // What is earned now is for the next year, and is spent last.
    stage.at("2026-12-15 10:00").await;
    stage.order(1, "T-3", 300).await;
    assert_eq!(stage.expiries(1).await, [(700, this_year_ms), (1, this_year_ms), (300, next_year_ms)]);
    stage.at("2026-12-31 23:59:59.999").await;
    let Body::Granted(granted) = stage.redeem(1, DECEMBER, POWDER).await else {
        panic!("it is open to its last moment")
    };
    assert_eq!((granted.before, granted.after), (1_001, 501));
    let Body::LimitReached(told) = stage.redeem(1, DECEMBER, POWDER).await else { panic!("twice in a window") };
    assert_eq!((told.times, told.used, told.again_ms), (2, 2, stage.instant_ms("2027-12-01 00:00")));
    assert_eq!(stage.expiries(1).await, [(200, this_year_ms), (1, this_year_ms), (300, next_year_ms)]);

    stage.at("2027-01-01 00:00").await;
    assert_eq!(stage.expiries(1).await, [(300, next_year_ms)]);
    let view = stage.member(1).await;
    assert_eq!((view.balance, view.earned), (300, 1_801));
    stage.at("2027-12-01 00:00").await;
    let Body::NotEnoughPoints(told) = stage.redeem(1, DECEMBER, POWDER).await else { panic!("300 are left") };
    assert_eq!((told.balance, told.shortfall), (300, 200));
    stage.close().await;
}

/// Every Wednesday points count double and two things have a special price, each once for a member and within the day's quota.
#[tokio::test]
async fn double_points_and_special_prices_every_wednesday() {
    const SANDWICH: u32 = 1;
    const MOONCAKE: u32 = 2;
    // A Tuesday.
    let mut stage = Stage::open("member-day", "2026-09-15 23:59:59").await;
    for member in [1, 2] {
        stage.enrol(member).await;
    }
    stage.order(1, "T-1", 400).await;
    assert_eq!(stage.member(1).await.balance, 400, "once on a Tuesday");
    let Body::NotOpen(told) = stage.redeem(1, 1, SANDWICH).await else { panic!("not on a Tuesday") };
    assert_eq!(told.opens_ms, stage.instant_ms("2026-09-16 00:00"));

    stage.at("2026-09-16 00:00").await;
    stage.order(1, "W-1", 301).await;
    stage.check_in(1).await;
    assert_eq!(stage.member(1).await.balance, 400 + 602 + 2, "twice on a Wednesday");
    // By now the member is gold: what comes in is times two and a half.
    let view = stage.member(1).await;
    assert_eq!((view.tier_slug.as_str(), view.earned), ("gold", 1_004));
    stage.order(1, "W-2", 15).await;
    assert_eq!(stage.member(1).await.balance, 1_004 + 37, "37.5, rounded down");
    let Body::Granted(granted) = stage.redeem(1, 1, SANDWICH).await else { panic!("it is Wednesday") };
    assert_eq!((granted.before, granted.after), (1_041, 951));
    let Body::LimitReached(told) = stage.redeem(1, 1, SANDWICH).await else { panic!("once a window") };
    assert_eq!(told.again_ms, stage.instant_ms("2026-09-23 00:00"));
    let Body::Granted(_) = stage.redeem(1, 1, MOONCAKE).await else { panic!("each offer by itself") };
    stage.order(2, "W-3", 100).await;
    let Body::SoldOut(told) = stage.redeem(2, 1, MOONCAKE).await else { panic!("one a day") };
    assert_eq!((told.offer, told.again_ms), (MOONCAKE, stage.instant_ms("2026-09-23 00:00")));

    stage.at("2026-09-17 00:00").await;
    // Paid on Wednesday, and only come in now: the clock that the rule reads is that of the payment.
    stage.order_paid(2, "W-4", 100, "2026-09-16 23:59:59").await;
    stage.order(2, "D-1", 100).await;
    assert_eq!(stage.member(2).await.balance, 200 + 200 + 100);
    let Body::NotOpen(told) = stage.redeem(2, 1, SANDWICH).await else { panic!("not on a Thursday") };
    assert_eq!(told.opens_ms, stage.instant_ms("2026-09-23 00:00"));
    // A gold member's order on a Thursday: times one and a half.
    stage.order(1, "D-2", 10).await;
    assert_eq!(stage.member(1).await.balance, 951 - 150 + 15);
    stage.close().await;
}

/// Double points in the week of a birthday, beside what else multiplies; 29 February has its day; nobody has two birthdays in a year.
#[tokio::test]
async fn double_points_around_the_birthday() {
    let mut stage = Stage::open("birthday-double", "2026-02-24 12:00").await;
    for member in 1..=3 {
        stage.enrol(member).await;
    }
    // A Tuesday, before anything is known of a birthday.
    stage.order(1, "B-1", 100).await;
    assert_eq!(stage.member(1).await.balance, 100);
    let Body::BirthdaySet(set) = stage.set_birthday(1, 2, 29).await.body else { panic!("a day of leap years") };
    assert_eq!(set.from_year, 2026);
    let none = stage.set_birthday(2, 2, 30).await;
    assert_eq!(stage.refused(none), answer::INVALID_DATE);
    stage.set_birthday(2, 6, 18).await;

    // 2026 has no 29 February: the first of March, a Sunday, ends the week.
    stage.order(1, "B-2", 100).await;
    assert_eq!(stage.member(1).await.balance, 100 + 200, "the week of 23 February to 1 March");
    stage.at("2026-02-25 12:00").await;
    stage.order(1, "B-3", 100).await;
    assert_eq!(stage.member(1).await.balance, 300 + 200, "and a Wednesday: of one group the larger");
    stage.order(2, "B-4", 100).await;
    assert_eq!(stage.member(2).await.balance, 150, "a Wednesday alone");
    stage.at("2026-03-01 23:59:59.999").await;
    stage.order(1, "B-5", 100).await;
    assert_eq!(stage.member(1).await.balance, 500 + 200);
    stage.at("2026-03-02 00:00").await;
    stage.order(1, "B-6", 100).await;
    assert_eq!(stage.member(1).await.balance, 700 + 100);
    // Paid on the birthday, and only come in now.
    stage.order_paid(1, "B-7", 100, "2026-03-01 12:00").await;
    assert_eq!(stage.member(1).await.balance, 800 + 200);

    // Another birthday only after a year, and then from the next year on.
    let locked = stage.set_birthday(1, 6, 18).await;
    let Body::BirthdayLocked(told) = locked.body else { panic!("it was said in February: {locked:?}") };
    assert_eq!(told.until_ms, stage.instant_ms("2027-02-24 00:00"));

    // The anniversary sale in the birthday's week: 2 and 3 are 4.
    stage.at("2026-06-18 12:00").await;
    stage.order(2, "B-8", 100).await;
    stage.order(3, "B-9", 100).await;
    assert_eq!((stage.member(2).await.balance, stage.member(3).await.balance), (150 + 400, 300));
    stage.at("2027-03-10 12:00").await;
    let Body::BirthdaySet(set) = stage.set_birthday(1, 6, 18).await.body else { panic!("a year later") };
    assert_eq!(set.from_year, 2028);
    stage.at("2027-06-18 12:00").await;
    let before = stage.member(1).await.balance;
    stage.order(1, "B-10", 100).await;
    assert_eq!(stage.member(1).await.balance, before + 100, "it had its birthday this year");
    stage.at("2028-06-13 12:00").await;
    stage.order(1, "B-11", 100).await;
    assert_eq!(stage.member(1).await.balance, before + 300);
    stage.close().await;
}
