use proptest::prelude::*;

use super::*;
use crate::domain::ids::{EnvironmentName, ServiceName};
use crate::page::frame::address;

#[test]
fn each_state_has_a_page_that_its_word_names() {
    for state in ServiceState::ALL {
        assert_eq!(state.word().parse(), Ok(state));
        let place = Place::Environment(EnvironmentName::new("eu/production").unwrap(), Some(state));
        assert_eq!(place.path(), format!("environments/eu~production/{}.html", state.word()));
    }
    for (word, state) in [("pending", Ok(ServiceState::Watched)), ("index", Err(())), ("", Err(()))] {
        assert_eq!(word.parse::<ServiceState>(), state);
    }
}

#[test]
fn links_lead_from_folder_to_folder() {
    let environment = EnvironmentName::new("eu/production").unwrap();
    let place = |name: &str| Place::Service(environment.clone(), ServiceName::new(name).unwrap());
    let of_environment = Place::Environment(environment.clone(), None);
    for (from, to, link) in [
        (Place::Index, of_environment.clone(), "environments/eu~production/index.html"),
        (Place::Index, Place::Style, "style.css"),
        (of_environment.clone(), place("web"), "../../environments/eu~production/services/web.html"),
        (place("web"), Place::Index, "../../../index.html"),
        (
            place("web"),
            place("team/caf\u{e9}"),
            "../../../environments/eu~production/services/team~caf%C3%A9.html",
        ),
    ] {
        assert_eq!(to.link(&from), link);
    }
}

#[test]
fn only_an_address_of_the_web_is_a_link() {
    for (url, is_link) in [
        ("https://forge.example/pull/1", true),
        ("http://forge.example/pull/1", true),
        ("javascript:alert(1)", false),
        ("data:text/html,x", false),
        ("//forge.example", false),
        (" https://forge.example", false),
    ] {
        assert_eq!(address(url).into_string().starts_with("<a "), is_link, "{url}");
    }
    assert!(!address("https://x/\"onclick=\"x").into_string().contains("\"onclick"));
}

proptest! {
    #[test]
    fn no_two_services_have_the_same_file(one in "[a-z~/+@._-]{1,12}", other in "[a-z~/+@._-]{1,12}") {
        let (Ok(one), Ok(other)) = (ServiceName::new(one), ServiceName::new(other)) else { return Ok(()) };
        prop_assert_eq!(one == other, file_of(&one) == file_of(&other));
        prop_assert!(!file_of(&one).contains('/') && file_of(&one).len() <= 255);
    }
}
