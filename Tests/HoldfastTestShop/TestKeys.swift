package import HoldfastArchive
package import HoldfastCodec
internal import HoldfastEngine
package import HoldfastRepository

/// The keys to one sealed repository, and their holders.
package struct TestKeys: Sendable {
  package enum Holder: CaseIterable, Sendable {
    /// The machine that takes backups: its writer key, and no identity.
    case backupHost
    /// A person who restores: an identity, and no writer key.
    case owner
    /// A machine that verifies: no key.
    case nobody
    /// Both, as in a shop with one machine.
    case everybody
  }

  package static let ownerName = "owner"
  package static let writerName = "shop-1"
  package var identity: RecoveryIdentity
  package var writer: WriterKey

  package init() throws {
    identity = try RecoveryIdentity()
    writer = try WriterKey()
  }

  /// The argument with which `Repository.create` uses them.
  package var sealing: Repository.Sealing {
    let member = member
    return Repository.Sealing(writer: writer, writerName: Self.writerName) { _ in [member] }
  }

  package var member: Keyring.Member { Keyring.Member(identity.recipient, name: Self.ownerName) }

  package func credentials(of holder: Holder = .everybody) -> Credentials {
    var credentials = Credentials.none
    let (identity, writer) = (identity, writer)
    if holder == .owner || holder == .everybody { credentials.identities = { _ in [identity] } }
    if holder == .backupHost || holder == .everybody { credentials.writer = { writer } }
    return credentials
  }
}
