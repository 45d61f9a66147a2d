//! Tiers, what their entry gives, rights and benefits.

use tidegate_protocol::Body;
use tidegate_protocol::code::answer;

use super::stage::Stage;

/// On upgrading to VIP.3 a second cup at half price, at VIP.4 a free drink: each once a year, also for who skips a tier.
#[tokio::test]
async fn entry_coupons_once_for_each_tier_and_year() {
    let mut stage = Stage::open("tea-tiers", "2026-03-01 12:00").await;
    for member in [1, 2] {
        stage.enrol(member).await;
    }
    stage.order(1, "T-1", 299).await;
    let view = stage.standing(1).await;
    assert_eq!((view.tier_slug.as_str(), view.count, view.missing), ("vip2", 299, 1));
    assert_eq!(stage.rights(1).await, []);
    stage.order(1, "T-2", 1).await;
    let month_on_ms = stage.instant_ms("2026-04-01 00:00");
    assert_eq!(stage.rights(1).await, [("second-cup-half".to_owned(), 1, month_on_ms)]);
    // Two tiers in one order: what both give.
    stage.order(2, "T-3", 700).await;
    let both = [("second-cup-half".to_owned(), 1, month_on_ms), ("free-drink".to_owned(), 1, month_on_ms)];
    assert_eq!(stage.rights(2).await, both);
    assert_eq!(stage.member(2).await.balance, 750, "and the points of the entry");
    // The same order once more changes nothing.
    assert_eq!(stage.order(2, "T-3", 700).await.name(), "AlreadyRecorded");
    assert_eq!(stage.rights(2).await, both);

    let Body::RightUsed(used) = stage.use_right(2, "free-drink").await else { panic!("it has one") };
    assert_eq!(used.left, 0);
    assert_eq!(stage.refused(stage.use_right_answer(2, "free-drink").await), answer::NO_RIGHT_LEFT);
    assert_eq!(stage.refused(stage.use_right_answer(2, "free-lunch").await), answer::UNKNOWN_RIGHT);
    // Unused, it is gone at the end of its thirtieth day.
    stage.at("2026-03-31 23:59:59.999").await;
    assert_eq!(stage.rights(1).await.len(), 1);
    stage.at("2026-04-01 00:00").await;
    assert_eq!(stage.rights(1).await, []);

    // Held to the end of the next year; then one tier down, as nothing was bought in it.
    stage.at("2027-12-31 23:59:59.999").await;
    assert_eq!(stage.standing(2).await.tier_slug.as_str(), "vip4");
    stage.at("2028-01-01 00:00").await;
    assert_eq!(stage.standing(2).await.tier_slug.as_str(), "vip3");
    assert_eq!(stage.rights(2).await, [], "falling into a tier is no entry");
    // Up again in another year: the free drink again, but not what VIP.3 gives, which it did not leave.
    stage.order(2, "T-4", 600).await;
    let rights = stage.rights(2).await;
    assert_eq!(rights.len(), 1);
    assert_eq!((rights[0].0.as_str(), rights[0].1), ("free-drink", 1));
    stage.close().await;
}

/// One yuan is one point. Points of a life make levels, which are discounts; and points can be spent for a discount.
#[tokio::test]
async fn points_of_a_life_are_levels_of_discount_and_points_buy_one() {
    let mut stage = Stage::open("hotpot-levels", "2026-05-01 18:00").await;
    stage.enrol(1).await;
    assert_eq!(stage.rights(1).await, []);
    stage.order(1, "H-1", 1_999).await;
    assert_eq!(stage.standing(1).await.missing, 1);
    stage.order(1, "H-2", 1).await;
    assert_eq!(stage.rights(1).await, [("five-percent-off".to_owned(), 0, 0)], "as long as it is silver");
    let Body::Granted(granted) = stage.redeem(1, 1, 1).await else { panic!("2,000 points") };
    assert_eq!((granted.before, granted.after), (2_000, 1_500));
    // What is spent takes nothing from the level.
    let view = stage.standing(1).await;
    assert_eq!((view.tier_slug.as_str(), view.count), ("silver", 2_000));
    let ends_ms = stage.instant_ms("2026-07-31 00:00");
    let rights = [("five-percent-off".to_owned(), 0, 0), ("twelve-percent-off-once".to_owned(), 1, ends_ms)];
    assert_eq!(stage.rights(1).await, rights);
    let Body::RightUsed(used) = stage.use_right(1, "twelve-percent-off-once").await else { panic!("it has one") };
    assert_eq!(used.left, 0);
    assert_eq!(stage.refused(stage.use_right_answer(1, "five-percent-off").await), answer::NO_RIGHT_LEFT);
    stage.order(1, "H-3", 4_000).await;
    assert_eq!(stage.rights(1).await, [("ten-percent-off".to_owned(), 0, 0)]);
    // Refused for want of points.
    for minute in 0..11 {
        stage.at(&format!("2026-05-01 19:{minute:02}")).await;
        let Body::Granted(_) = stage.redeem(1, 1, 1).await else { panic!("5,500 points are eleven") };
    }
    stage.at("2026-05-01 20:00").await;
    let Body::NotEnoughPoints(told) = stage.redeem(1, 1, 1).await else { panic!("5,500 points were eleven") };
    assert_eq!((told.price, told.balance), (500, 0));
    stage.close().await;
}

/// A tier's benefit gives points each month, and points go into turns of an activity.
#[tokio::test]
async fn points_of_the_month_for_gold_members_go_into_turns() {
    let mut stage = Stage::open("gold-monthly", "2026-01-20 10:00").await;
    stage.enrol(1).await;
    stage.order(1, "G-1", 999).await;
    assert_eq!(stage.member(1).await.balance, 999);
    stage.order(1, "G-2", 1).await;
    // Gold, and at once the points of January, which last through February.
    let (march_ms, april_ms) = (stage.instant_ms("2026-03-01 00:00"), stage.instant_ms("2026-04-01 00:00"));
    assert_eq!(stage.expiries(1).await, [(60, march_ms), (1_000, 0)]);
    let next = stage.standing(1).await.benefits.as_slice().to_vec();
    assert_eq!((next.len(), next[0].due_ms), (1, stage.instant_ms("2026-02-01 00:00")));
    stage.at("2026-01-31 23:59:59.999").await;
    assert_eq!(stage.member(1).await.balance, 1_060);
    stage.at("2026-02-01 00:00").await;
    assert_eq!(stage.expiries(1).await, [(60, march_ms), (60, april_ms), (1_000, 0)]);
    for _ in 0..3 {
        let Body::Granted(_) = stage.redeem(1, 1, 1).await else { panic!("it has points") };
    }
    let Body::LimitReached(_) = stage.redeem(1, 1, 1).await else { panic!("three turns a day") };
    // What expires first was spent first.
    assert_eq!(stage.expiries(1).await, [(45, april_ms), (1_000, 0)]);
    // Whoever was not there for months has every month's points, less what is gone since.
    stage.at("2026-07-10 09:00").await;
    let lots = stage.expiries(1).await;
    assert_eq!(
        lots,
        [(60, stage.instant_ms("2026-08-01 00:00")), (60, stage.instant_ms("2026-09-01 00:00")), (1_000, 0)]
    );
    let names: Vec<String> = stage.lots(1).await.lots.as_slice().iter().map(|lot| lot.source.to_string()).collect();
    assert_eq!(names, ["monthly-points", "monthly-points", "orders"]);
    stage.close().await;
}

/// Tiers by what was spent within a year: up at once, held to the end of the next, kept, with a grace, and down by one.
#[tokio::test]
async fn tiers_by_a_years_spending_are_kept_or_left() {
    let mut stage = Stage::open("spend-ladder", "2026-02-10 12:00").await;
    for member in [1, 2, 3] {
        stage.enrol(member).await;
    }
    stage.order(1, "L-1", 1_999).await;
    assert_eq!(stage.standing(1).await.missing, 100, "an amount in minor units");
    stage.order(1, "L-2", 1).await;
    let view = stage.standing(1).await;
    assert_eq!((view.tier_slug.as_str(), view.until_ms), ("silver", stage.instant_ms("2028-01-01 00:00")));
    // Straight to gold: only what the top one gives.
    stage.order(2, "L-3", 9_000).await;
    assert_eq!(stage.member(2).await.balance, 9_000 + 500);
    let ends_ms = stage.instant_ms("2026-09-01 00:00");
    let rights = stage.rights(2).await;
    assert_eq!(rights[2], ("lounge".to_owned(), 2, ends_ms));
    stage.order(3, "L-4", 9_000).await;

    // In 2027 the first spends enough to keep silver, the second too little for gold, the third nothing.
    stage.at("2027-06-01 12:00").await;
    assert_eq!(stage.standing(1).await.count, 0, "a new year counts from nothing");
    stage.order(1, "L-5", 1_500).await;
    stage.order(2, "L-6", 5_999).await;
    stage.at("2027-12-31 23:59:59.999").await;
    assert_eq!(stage.standing(2).await.tier_slug.as_str(), "gold");
    stage.at("2028-01-01 00:00").await;
    let kept = stage.standing(1).await;
    assert_eq!(
        (kept.tier_slug.as_str(), kept.until_ms, kept.grace),
        ("silver", stage.instant_ms("2029-01-01 00:00"), 0)
    );
    let grace = stage.standing(2).await;
    assert_eq!(
        (grace.tier_slug.as_str(), grace.until_ms, grace.grace),
        ("gold", stage.instant_ms("2028-02-01 00:00"), 1)
    );
    // Within the grace the second spends what keeps it; the third does not.
    stage.at("2028-01-20 12:00").await;
    stage.order(2, "L-7", 6_000).await;
    let saved = stage.standing(2).await;
    assert_eq!(
        (saved.tier_slug.as_str(), saved.until_ms, saved.grace),
        ("gold", stage.instant_ms("2030-01-01 00:00"), 0)
    );
    stage.at("2028-01-31 23:59:59.999").await;
    assert_eq!(stage.standing(3).await.tier_slug.as_str(), "gold");
    stage.at("2028-02-01 00:00").await;
    let down = stage.standing(3).await;
    assert_eq!((down.tier_slug.as_str(), down.until_ms), ("silver", stage.instant_ms("2030-01-01 00:00")));
    // An order of the last year that only comes in now counts for that year, and raises nobody.
    stage.order_paid(3, "L-8", 9_000, "2027-12-30 12:00").await;
    assert_eq!(stage.standing(3).await.tier_slug.as_str(), "silver");
    stage.close().await;
}
