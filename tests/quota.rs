//! I2 over the wire: from many connections a hot offer with item, tier and period quotas is granted exactly as often as
//! the tightest of them allows, and nobody hears "sold out" while a unit is free. I3: a retry gets the first answer, also
//! from the next connection and from the next server.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod process;

use std::time::Duration;

use process::Site;
use tidegate_client::{CallOptions, Client};
use tidegate_protocol::operation::{Enrol, GetCampaign, RecordOrder, Redeem};
use tidegate_protocol::{Body, MemberKey, Text};

const CONNECTIONS: usize = 8;
const BASIC: u64 = 600;
const GOLD: u64 = 400;
const BASIC_QUOTA: usize = 150;
const PERIOD_QUOTA: usize = 400;

/// Gold members have 1,000 points more. The item alone would allow 500, the period 400, basic members 150 of them.
const BUNDLE: &str = r#"
programme = "hot"
title = { zh = "热门", en = "Hot" }
zone = "Asia/Shanghai"
currency = "CNY"
brands = ["house"]
channels = ["mall"]

[[tier]]
slug = "basic"
title = { zh = "普通", en = "Basic" }
from = 0

[[tier]]
slug = "gold"
title = { zh = "金卡", en = "Gold" }
from = 1000

[earning]
points = 1
per = "1.00"
rounding = "down"

[campaign.sale]
title = { zh = "促销", en = "Sale" }
window = { every = "year", from = "01-01 00:00", until = "12-31 24:00" }
per_member = { times = 1, each = "window", over = "all offers" }
quota = { each = "window", total = 400 }

[[campaign.sale.offer]]
sku = "HOT"
title = { zh = "热门", en = "Hot" }
price = { basic = { points = 20 }, gold = { points = 10 } }
quota = { each = "window", total = 500, by_tier = { basic = 150 } }
"#;

fn calmly() -> CallOptions {
    CallOptions { deadline: Duration::from_secs(120), id: None }
}

fn text(text: &str) -> Text {
    Text::try_from(text).unwrap()
}

fn hot(member: u64) -> Redeem {
    Redeem { member: MemberKey::from_number(member), campaign: 1, offer: 1 }
}

async fn enrol(client: &Client, programme: u32, member: u64) {
    let key = MemberKey::from_number(member);
    client.enrol(programme, Enrol { member: key }, calmly()).await.unwrap();
    let order = RecordOrder {
        member: key,
        paid_at_ms: client.server_ms() - 1_000,
        amount_minor: if member < BASIC { 10_000 } else { 110_000 },
        brand: text("house"),
        channel: text("mall"),
        store: Text::default(),
        number: text(&member.to_string()),
    };
    assert_eq!(client.record_order(programme, order, calmly()).await.unwrap().name(), "recorded");
}

/// Runs one call for each member, spread over the connections, all at once; gives the answers' names.
async fn rush(clients: &[Client], programme: u32, members: std::ops::Range<u64>) -> Vec<&'static str> {
    let calls = members.map(|member| {
        let client = clients[member as usize % clients.len()].clone();
        tokio::spawn(async move { client.redeem(programme, hot(member), calmly()).await.unwrap().name() })
    });
    let mut names = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        names.push(call.await.unwrap());
    }
    names
}

fn count(names: &[&str], name: &str) -> usize {
    names.iter().filter(|found| **found == name).count()
}

#[tokio::test]
async fn a_hot_offer_is_granted_exactly_as_often_as_its_quotas_allow_and_retries_get_the_first_answer() {
    let site = Site::with(&[BUNDLE]);
    let mut server = site.serve(&[]);
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(site.client("gateway").await);
    }
    let programme = clients[0].programme("hot").unwrap();
    for member in 0..BASIC + GOLD {
        enrol(&clients[0], programme, member).await;
    }
    // One member is remembered by id, for the retries at the end.
    let options = CallOptions { id: Some(clients[0].mint()), ..calmly() };
    let first = clients[0].redeem(programme, hot(0), options).await.unwrap();
    assert_eq!(first.name(), "granted");

    let basic = rush(&clients, programme, 1..BASIC).await;
    assert_eq!(count(&basic, "granted") + 1, BASIC_QUOTA, "basic members get all of theirs, and no more");
    assert_eq!(count(&basic, "sold-out"), BASIC as usize - BASIC_QUOTA);
    let gold = rush(&clients, programme, BASIC..BASIC + GOLD).await;
    assert_eq!(count(&gold, "granted"), PERIOD_QUOTA - BASIC_QUOTA, "gold members get what the period has left");
    assert_eq!(count(&gold, "sold-out"), GOLD as usize - (PERIOD_QUOTA - BASIC_QUOTA));

    let again = site.client("gateway").await.redeem(programme, hot(0), options).await.unwrap();
    assert_eq!(again, first, "from another connection");
    server.kill();
    let _server = site.serve(&[]);
    let again = clients[0].redeem(programme, hot(0), options).await.unwrap();
    assert_eq!(again, first, "from another server");
    let campaign = GetCampaign { campaign: 0, slug: text("sale") };
    let Body::CampaignView(view) = clients[1].get_campaign(programme, campaign, calmly()).await.unwrap().body else {
        panic!("a campaign's view")
    };
    assert_eq!(view.granted_ever, PERIOD_QUOTA as u64);
}
