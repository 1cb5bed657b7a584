//! The command line of `jamz-server`.

use super::config::{Config, ConfigError, has_password};
use super::revoked;
use super::secret::{self, Absent};
use super::token::{Convoys, Pass, now_unix_s};
use crate::core::id::{ConvoyId, UserId};
use crate::core::ticket::Role;
use anyhow::{Result, ensure};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// The meeting point of convoys: a Socket.IO server for cars and phones.
#[derive(Debug, Parser)]
#[command(name = "jamz-server", version, args_conflicts_with_subcommands = false)]
pub struct Arguments {
    #[command(flatten)]
    pub options: Options,
    /// Reads the configuration, says whether it is good, and ends.
    #[arg(long)]
    pub check_config: bool,
    #[command(subcommand)]
    pub action: Option<Action>,
}

#[derive(Debug, Subcommand)]
pub enum Action {
    /// Prints a token, with which someone may join.
    Token(TokenArguments),
    /// Puts someone out of a convoy: tickets issued to them so far are void, and the server lets them in no more.
    Revoke(RevokeArguments),
}

/// Flags go before the configuration file.
#[derive(Debug, Args)]
pub struct Options {
    /// Configuration file (TOML).
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address and port to listen on; port 0 takes any free one.
    #[arg(long, global = true, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Directory for state.
    #[arg(long, global = true, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Secret for HS256 tokens.
    #[arg(long, global = true, value_name = "FILE")]
    jwt_secret_file: Option<PathBuf>,
    /// Ed25519 public key (PEM) for EdDSA tokens.
    #[arg(long, global = true, value_name = "FILE")]
    jwt_public_key_file: Option<PathBuf>,
    /// Key that signs the members' tickets, in hex; servers that stand in for each other share it.
    #[arg(long, global = true, value_name = "FILE")]
    ticket_key_file: Option<PathBuf>,
    /// Redis or Valkey that several instances share; an address with a password belongs into the file.
    #[arg(long, global = true, value_name = "URL")]
    redis: Option<String>,
    /// Takes tokens that name no convoy, as good for every one.
    #[arg(long, global = true)]
    tokens_without_convoy: bool,
    /// Lets anyone join any convoy without a token; for a network of one's own.
    #[arg(long, global = true)]
    open: bool,
    /// Lets today's phones in without a token.
    #[arg(long, global = true)]
    phones_without_token: bool,
    /// Level or filter of the log.
    #[arg(long, global = true, value_name = "LEVEL")]
    log: Option<String>,
}

#[derive(Debug, Args)]
pub struct RevokeArguments {
    /// Who is put out.
    #[arg(long)]
    user: UserId,
    /// Of which convoy.
    #[arg(long)]
    convoy: ConvoyId,
    /// Lets them in again.
    #[arg(long)]
    undo: bool,
}

#[derive(Debug, Args)]
pub struct TokenArguments {
    /// Who the token is for.
    #[arg(long)]
    user: UserId,
    /// A convoy that it opens; more than once for several, `*` for all.
    #[arg(long, required = true)]
    convoy: Vec<ConvoyId>,
    /// The name that others see.
    #[arg(long)]
    name: Option<String>,
    /// What they may do: an owner or a dj may take control and edit the playlist, a listener may not.
    #[arg(long, value_name = "ROLE", default_value = "dj", value_parser = role)]
    role: Role,
    /// Days until it expires.
    #[arg(long)]
    days: Option<u32>,
}

fn role(text: &str) -> Result<Role, String> {
    let roles = [Role::Owner, Role::Dj, Role::Listener];
    roles.into_iter().find(|role| role.as_str() == text).ok_or_else(|| "a role is owner, dj or listener".into())
}

/// Read when no file is named, if it is there.
const DEFAULT_FILE: &str = "/etc/jamz-server.toml";

impl Options {
    /// The configuration in force.
    ///
    /// # Errors
    /// What is wrong with the file or the flags.
    pub fn config(&self) -> Result<Config> {
        let default = std::path::Path::new(DEFAULT_FILE);
        let mut config = match &self.config {
            Some(path) => Config::read(path)?,
            None if default.exists() => Config::read(default)?,
            None => Config::default(),
        };
        config.listen = self.listen.clone().unwrap_or(config.listen);
        config.state = self.state.clone().or(config.state);
        config.jwt_secret_file = self.jwt_secret_file.clone().or(config.jwt_secret_file);
        config.jwt_public_key_file = self.jwt_public_key_file.clone().or(config.jwt_public_key_file);
        config.ticket_key_file = self.ticket_key_file.clone().or(config.ticket_key_file);
        if self.redis.as_deref().is_some_and(has_password) {
            return Err(ConfigError::PasswordShown.into());
        }
        config.redis = self.redis.clone().or(config.redis);
        config.tokens_without_convoy |= self.tokens_without_convoy;
        config.open |= self.open;
        config.phones_without_token |= self.phones_without_token;
        config.log = self.log.clone().unwrap_or(config.log);
        config.check()?;
        Ok(config)
    }
}

impl RevokeArguments {
    /// Notes it where the server looks.
    ///
    /// # Errors
    /// When that cannot be written, or would mean nothing.
    pub fn note(&self, config: &Config) -> Result<()> {
        ensure!(
            !config.open,
            "an open server (`open`) takes everyone for whom they say they are; nobody can be put out"
        );
        revoked::note(&config.state(), &self.convoy, &self.user, !self.undo)
    }
}

impl TokenArguments {
    /// Makes the token.
    ///
    /// # Errors
    /// When there is no secret to sign it with.
    pub fn issue(&self, config: &Config) -> Result<String> {
        let config = Config { token_days: self.days.unwrap_or(config.token_days), ..config.clone() };
        config.check()?;
        let keys = secret::keys(&config, &config.state(), Absent::Refuse)?;
        let all = self.convoy.iter().any(|convoy| convoy.as_str() == "*");
        let convoys =
            if all { Convoys::All } else { Convoys::Some(self.convoy.iter().map(ToString::to_string).collect()) };
        let pass = Pass {
            user: Some(self.user.clone()),
            name: self.name.clone(),
            convoys,
            lifetime_s: Some(config.token_s()),
            role: self.role,
            phone_only: false,
            guest: None,
        };
        Ok(keys.issue(&pass, now_unix_s())?)
    }
}
