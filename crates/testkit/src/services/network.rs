//! A network between a client and a server that can go silent, as a partition is: to the client
//! nothing is closed and nothing is answered.

use std::ops::Deref;

use trapline_drill::Relay;

/// A port on which a server is reached for as long as the network carries.
pub struct Network(Relay);

impl Deref for Network {
    type Target = Relay;

    fn deref(&self) -> &Relay {
        &self.0
    }
}

impl Network {
    /// A new way to the server at that local port.
    ///
    /// # Panics
    /// If no port is free.
    pub async fn to(server: u16) -> Self {
        let relay = Relay::to(vec![format!("127.0.0.1:{server}")]).await;
        Self(relay.expect("a free port"))
    }

    /// The server's address with this network in between.
    #[must_use]
    pub fn through(&self, url: &str, server: u16) -> String {
        url.replace(&format!(":{server}"), &format!(":{}", self.port()))
    }
}
