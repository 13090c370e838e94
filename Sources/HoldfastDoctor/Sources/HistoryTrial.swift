internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastRepository
internal import HoldfastSystem

/// Reads the manifests of a source: none may be damaged, and the newest snapshot must not be too old.
struct HistoryTrial: Trial {
  /// The most lines about damage.
  private static let damageMax = 10

  let source: SourceSettings
  let opening: Opening?
  let name = "newest snapshot"
  var group: TrialGroup { TrialGroup(.source, of: source.name.text) }

  func run(on machine: MachineContext) throws -> [TrialResult] {
    guard let opening else {
      return [
        result(
          .warning, "its repository \(Path(source.repository)) is not below `repositories`, and was not tried",
          hint: "Name it there, or run `holdfast check -r \(Path(source.repository))`.")
      ]
    }
    let history = try opening.history()
    let names = try opening.use().names
    let stored = try names.source(source.name)
    let renamed = try names.renaming(of: source.name).map { text in
      result(
        .failed, "\(text): its backups are refused",
        hint: "Write \(stored) instead of \(source.name) in the configuration.", name: "name")
    }
    return [renamed].compactMap(\.self) + damaged(history.damage[stored] ?? [])
      + [newest(of: stored, in: history, now: machine.host.clock.now())]
  }

  private func damaged(_ damage: [String]) -> [TrialResult] {
    let hint = "Run `holdfast verify --name \(source.name)`: it says what can still be restored."
    let lines = damage.prefix(Self.damageMax).map { result(.failed, $0, hint: hint, name: "manifests") }
    guard damage.count > Self.damageMax else { return lines }
    return lines + [result(.failed, "\(damage.count - Self.damageMax) more are damaged", hint: hint, name: "manifests")]
  }

  private func newest(of name: SourceName, in history: Opening.History, now: Timestamp) -> TrialResult {
    let again = "Run `holdfast backup \(source.name)`."
    let limit = source.ageLimit
    // An objective that cannot be shown to be met is missed.
    let verdict: TrialVerdict = limit?.isObjective == true ? .failed : .warning
    guard let newest = history.newest[name] else {
      guard history.begun.contains(name) || history.damage[name]?.isEmpty == false else {
        return result(verdict, "it was never backed up", hint: again)
      }
      return result(
        verdict, "it has no snapshot that can be used: each is damaged, removed, or was never finished", hint: again)
    }
    let envelope = newest.envelope
    let text = "begun \(TimeText.local(envelope.started)), \(envelope.kind.rawValue) \(newest.id.short)"
    guard let limit else { return result(.ok, text) }
    guard let complete = history.newestComplete[name] else {
      return result(verdict, "\(text); none of its snapshots is complete", hint: again)
    }
    let age = now - complete.envelope.started
    guard age > limit.age else { return result(.ok, text) }
    return result(
      verdict, "the newest complete snapshot is \(Amount.age(age)) old, and \(limit.reason)",
      hint: "See why no backup was made: `holdfast status --source \(source.name)`, and the log of its schedule.")
  }
}
