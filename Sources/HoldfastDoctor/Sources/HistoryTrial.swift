internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastSystem

/// Looks for the newest snapshot of a source.
struct HistoryTrial: Trial {
  let source: SourceName
  let opening: Opening?
  let name = "newest snapshot"
  var group: TrialGroup { TrialGroup(.source, of: source.text) }

  func run(on machine: MachineContext) throws -> [TrialResult] {
    guard let opening, let newest = try opening.history().newest[source] else {
      return [
        result(.warning, "it was never backed up", hint: "Run `holdfast backup \(source)`.")
      ]
    }
    let started = newest.envelope.started
    return [result(.ok, "begun \(TimeText.local(started)), \(newest.envelope.kind.rawValue) \(newest.id.short)")]
  }
}
