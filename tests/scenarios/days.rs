//! Check-ins and their streak, whatever comes between: a lost connection, a missed day, a flight, a change of the clock.

use tidegate_protocol::Body;
use tidegate_protocol::answer::CheckedIn;
use tidegate_protocol::code::answer;

use super::stage::{Stage, local_day};

fn checked_in(body: Body) -> CheckedIn {
    let Body::CheckedIn(told) = body else { panic!("{body:?}") };
    told
}

/// A streak that a shop's lost connection, a missed day and a flight do not end; each day counts once, in whatever order days come in.
#[tokio::test]
async fn a_streak_survives_a_lost_connection_a_missed_day_and_a_flight() {
    // A Monday. The bonuses: three more on the third day, ten more on the seventh.
    let mut stage = Stage::open("streaks", "2026-06-01 08:00").await;
    stage.enrol(1).await;
    assert_eq!(stage.profile(1).await.cards, 1, "a card to begin with");
    stage.check_in(1).await;

    // Tuesday's check-in happened in a shop without a connection, and comes in behind Wednesday's.
    stage.at("2026-06-03 08:00").await;
    let told = checked_in(stage.check_in(1).await);
    assert_eq!((told.streak, told.after), (1, 4), "a new streak, as far as anybody knows");
    let told = checked_in(stage.checked_in_at(1, "2026-06-02 19:30").await.body);
    assert_eq!((told.day, told.streak), (local_day("2026-06-02"), 3));
    assert_eq!((told.before, told.after), (4, 4 + 2 + 3), "and the third day's bonus, which Wednesday would have had");
    let again = stage.checked_in_at(1, "2026-06-02 21:00").await;
    assert_eq!(stage.refused(again), answer::ALREADY_CHECKED_IN);
    let today = stage.checked_in_at(1, "2026-06-03 07:00").await;
    assert_eq!(stage.refused(today), answer::ALREADY_CHECKED_IN);
    let before = stage.checked_in_at(1, "2026-05-31 12:00").await;
    assert_eq!(stage.refused(before), answer::TOO_LATE, "two days and no more");
    let ahead = stage.checked_in_at(1, "2026-06-03 08:11").await;
    assert_eq!(stage.refused(ahead), answer::IN_THE_FUTURE);

    // Thursday is missed. Friday begins anew; the card makes up for Thursday.
    stage.at("2026-06-05 08:00").await;
    assert_eq!(checked_in(stage.check_in(1).await).streak, 1);
    let profile = stage.profile(1).await;
    let run = profile.runs.as_slice()[0];
    assert_eq!((run.last, run.days), (local_day("2026-06-03"), 3));
    assert_eq!(profile.reach, local_day("2026-06-01"), "not before the day it enrolled");
    let told = checked_in(stage.make_up(1, "2026-06-04").await.body);
    assert_eq!((told.streak, told.before, told.after), (5, 11, 13));
    let none = stage.make_up(1, "2026-06-04").await;
    assert_eq!(stage.refused(none), answer::ALREADY_CHECKED_IN);
    let unborn = stage.make_up(1, "2026-05-31").await;
    assert_eq!(stage.refused(unborn), answer::DAY_OUT_OF_REACH);
    let today = stage.make_up(1, "2026-06-05").await;
    assert_eq!(stage.refused(today), answer::DAY_OUT_OF_REACH, "today is checked in, not made up for");

    // Saturday is missed too, and the card is used up; another is bought.
    stage.at("2026-06-07 08:00").await;
    let none = stage.make_up(1, "2026-06-06").await;
    assert_eq!(stage.refused(none), answer::NO_RIGHT_LEFT);
    let Body::Granted(told) = stage.redeem(1, 1, 1).await else { panic!("a card") };
    assert_eq!(told.after, 8);
    let told = checked_in(stage.make_up(1, "2026-06-06").await.body);
    assert_eq!((told.streak, told.after), (6, 10), "before today's check-in as well");
    let told = checked_in(stage.check_in(1).await);
    assert_eq!((told.streak, told.after), (7, 10 + 2 + 10));
    stage.close().await;

    // A flight to the west, and one to the east over the date line.
    let mut stage = Stage::open("streaks", "2026-06-08 09:00").await;
    stage.enrol(2).await;
    stage.check_in(2).await;
    stage.at("2026-06-09 09:00").await;
    assert_eq!(checked_in(stage.check_in(2).await).streak, 2);
    assert_eq!(stage.set_zone(2, "America/Los_Angeles").await.body.name(), "ZoneSet");
    stage.at("2026-06-09 14:00").await;
    // It is Monday, 23:00 there: that day has been, and so has Tuesday until it begins a second time.
    let Body::AlreadyCheckedIn(told) = stage.check_in(2).await else { panic!("Tuesday is checked in") };
    assert_eq!(told.next_ms, stage.instant_ms("2026-06-10 15:00"), "Wednesday 00:00 in Los Angeles");
    stage.at("2026-06-10 14:59:59.999").await;
    assert_eq!(stage.check_in(2).await.name(), "AlreadyCheckedIn");
    stage.at("2026-06-10 15:00").await;
    assert_eq!(checked_in(stage.check_in(2).await).streak, 3);
    // Thursday in Los Angeles begins at 15:00 in Shanghai and is Friday at 23:00 already in Tokyo, where it lands.
    stage.at("2026-06-11 23:30").await;
    assert_eq!(stage.set_zone(2, "Asia/Tokyo").await.body.name(), "ZoneSet");
    let told = checked_in(stage.check_in(2).await);
    assert_eq!((told.day, told.streak), (local_day("2026-06-12"), 5), "the date that it flew over is no gap");
    assert_eq!(told.after - told.before, 2, "and gives nothing itself");
    let nowhere = stage.set_zone(2, "Mars/Olympus").await;
    assert_eq!(stage.refused(nowhere), answer::UNKNOWN_ZONE);
    stage.close().await;

    // Paris sets its clock back on 25 October and has a day of 25 hours.
    let mut stage = Stage::open("streaks", "2026-10-24 12:00").await;
    stage.enrol(3).await;
    stage.set_zone(3, "Europe/Paris").await;
    stage.check_in(3).await;
    stage.at("2026-10-25 06:00").await;
    assert_eq!(checked_in(stage.check_in(3).await).streak, 2, "00:00 summer time");
    stage.at("2026-10-26 06:30").await;
    let Body::AlreadyCheckedIn(told) = stage.check_in(3).await else { panic!("23:30 winter time, of the same day") };
    assert_eq!(told.next_ms, stage.instant_ms("2026-10-26 07:00"));
    stage.at("2026-10-26 07:00").await;
    assert_eq!(checked_in(stage.check_in(3).await).streak, 3);

    assert_eq!(stage.set_tag(3, "koc", true).await.body.name(), "TagSet");
    let unknown = stage.set_tag(3, "kol", true).await;
    assert_eq!(stage.refused(unknown), answer::UNKNOWN_TAG);
    assert_eq!(stage.profile(3).await.tags.as_slice().len(), 1);
    stage.set_tag(3, "koc", false).await;
    assert!(stage.profile(3).await.tags.as_slice().is_empty());
    stage.close().await;
}
