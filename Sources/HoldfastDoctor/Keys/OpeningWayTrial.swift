internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastRepository
internal import HoldfastSystem

/// Opens the newest snapshot with the identity, or the passphrase, that is named for a sealed repository.
struct OpeningWayTrial: Trial {
  let way: OpeningWay
  let opening: Opening?
  let isOfUser = true
  var name: String { way.rawValue }
  var group: TrialGroup { TrialGroup(.keys, of: opening?.name) }

  func run(on machine: MachineContext) throws -> [TrialResult] {
    guard let opening, try opening.use().keyring.isSealed else { return [] }
    let context = try opening.settings.context(on: machine, opening: way)
    guard try context.keys.names(way) else {
      // One line says it of both.
      guard way == .identity, try !context.keys.names(.passphrase) else { return [] }
      return [
        result(.notTried, "neither an identity nor a passphrase is named here; backups need none, and a restore does")
      ]
    }
    let repository = try context.open { _ in }
    guard let sealed = repository.keyring.sealed else { return [] }
    let identities = try sealed.identities()
    guard !identities.isEmpty else {
      return [
        result(
          .failed, "the keyring has no recipient with a passphrase",
          hint: "Run `holdfast key list` to see the recipients, and correct the configuration.")
      ]
    }
    guard let newest = try opening.history().newest.values.max(by: { $0.envelope.started < $1.envelope.started }) else {
      let isRecipient = identities.contains { one in sealed.keyring.recipients.contains { $0.id == one.recipient.id } }
      return [
        isRecipient
          ? result(.ok, "it is that of a recipient; there is no snapshot yet to open")
          : failure(
            sealed.refusal(wanted: sealed.keyring.recipients.map(\.id), isNamed: true, what: "the next snapshot"))
      ]
    }
    // The path of the source is sealed, and stands at the head of the body.
    _ = try repository.containers.openBody(of: newest).label()
    return [result(.ok, "it opens the newest snapshot, \(newest.id.short) of \(newest.sourceName)")]
  }
}
