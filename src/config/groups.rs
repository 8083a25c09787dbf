//! In which order the services of a group go back.

use std::collections::BTreeMap;

use super::context::Context;
use super::report::suggestion;
use super::types;
use crate::domain::environment::GroupOrder;
use crate::domain::ids::{GroupName, ServiceName};

/// The longest wait between two services of a group, in seconds: users suffer until the last one is back.
const MAX_WAIT_SECS: u32 = 3_600;

impl Context<'_> {
    /// The groups with an order.
    pub(super) fn orders(&mut self, config: &types::Config) -> BTreeMap<GroupName, GroupOrder> {
        let texts: Vec<&str> =
            config.services.iter().filter_map(|service| service.group.as_deref()).collect();
        let mut orders = BTreeMap::new();
        for (name, wire) in config.groups.iter().flatten() {
            let place = self.place(&["groups", name]);
            // What a template makes of the captures is not known here.
            if !texts.iter().any(|text| text == name || text.contains('{')) {
                let message = format!("no service is in the group `{name}`: {}", suggestion(name, &texts));
                self.findings.add(place, message);
            }
            let order = self.order(name, wire);
            if let Some(group) = self.name(GroupName::new(name.as_str()), place) {
                orders.insert(group, order);
            }
        }
        orders
    }

    fn order(&mut self, group: &str, wire: &types::Group) -> GroupOrder {
        let list = self.node(&["groups", group, "order"]).map(|node| node.items().to_vec());
        let mut deployed: Vec<ServiceName> = Vec::new();
        for (name, node) in wire.order.iter().zip(list.unwrap_or_default()) {
            let Some(name) = self.name(ServiceName::new(name.as_str()), node.place) else { continue };
            if deployed.contains(&name) {
                self.findings.add(node.place, format!("the service `{name}` stands here twice"));
            }
            deployed.push(name);
        }
        let place = self.place(&["groups", group, "wait"]);
        let wait_secs = self.seconds_or_zero(wire.wait, 0, place);
        if wait_secs > MAX_WAIT_SECS {
            self.findings.add(
                place,
                "must be at most 1h: until the last service is back, the group runs half of each",
            );
        }
        GroupOrder { deployed, wait_secs }
    }
}
