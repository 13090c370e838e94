package import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel

/// The public parts of a keyring revision.
package struct KeyringJSON: Encodable {
  struct Recipient: Encodable {
    let id: String
    let name: String
    let recipient: String
    let byPassphrase: Bool
  }

  struct Writer: Encodable {
    let name: String
    let writer: String
    let mayPrune: Bool
    let revoked: Bool
  }

  let repository: String
  let revision: UInt64
  let keyringDigest: String
  let recipients: [Recipient]
  let writers: [Writer]

  package init(_ keyring: Keyring, digest: String) {
    repository = keyring.repository.description
    revision = keyring.revision
    keyringDigest = digest
    recipients = keyring.recipients.map {
      Recipient(
        id: $0.id.description, name: $0.name, recipient: $0.recipient.text, byPassphrase: $0.passphrase != nil)
    }
    writers = keyring.writers.map {
      Writer(
        name: $0.name, writer: $0.key.writerText, mayPrune: $0.mayPrune && $0.revoked == nil,
        revoked: $0.revoked != nil)
    }
  }
}
