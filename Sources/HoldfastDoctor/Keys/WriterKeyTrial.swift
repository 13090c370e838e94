internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastRepository
internal import HoldfastSystem

/// Signs something with the writer key of this machine, and lets the keyring judge it.
struct WriterKeyTrial: Trial {
  let opening: Opening?
  let name = "writer key"
  let isOfUser = true
  var group: TrialGroup { TrialGroup(.keys, of: opening?.name) }

  func run(on machine: MachineContext) throws -> [TrialResult] {
    guard let opening else { return [] }
    let repository = try opening.use()
    guard let sealed = repository.keyring.sealed else {
      return [result(.notTried, "the repository is not sealed, and needs no keys")]
    }
    let writer = try sealed.writer()
    let message = machine.host.random.bytes(64)
    let signature = try writer.signing.sign(message)
    guard let member = sealed.keyring.writers.first(where: { $0.key == signature.key && $0.revoked == nil }),
      signature.isValid(for: message)
    else {
      return [
        result(.failed, "what it signs does not count", hint: "Make a new one: `holdfast key generate --writer`.")
      ]
    }
    return [
      result(
        .ok,
        "only this user can read it; it signs, and the keyring has it as \(Path(member.name)) (\(member.key.short))")
    ]
  }
}
