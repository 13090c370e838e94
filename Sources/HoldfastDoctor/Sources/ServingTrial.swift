internal import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastRepository

/// Says which host serves a source that hosts take turns in serving.
struct ServingTrial: Trial {
  let source: SourceSettings
  let opening: Opening?
  let name = "serving"
  var group: TrialGroup { TrialGroup(.source, of: source.name.text) }

  func run(on machine: MachineContext) throws -> [TrialResult] {
    guard let opening, let host = source.failover.host else { return [] }
    let repository = try opening.use()
    let standing = try ServingStanding(of: repository.names.source(source.name), in: repository)
    if standing.reading == .unclear {
      return [
        result(
          .failed, "the newest number of its lease says who serves, but not in a way that this version understands",
          hint: "Use the version of holdfast that has written it: until then, nothing is written.")
      ]
    }
    guard let role = standing.role else {
      return [
        result(
          .warning, "this host is \(host), and no host was ever announced to serve it",
          hint: "On the host that serves it now, and only there, run `holdfast serving \(source.name) --first` once.")
      ]
    }
    guard role.serving != host else { return [result(.ok, "this host, \(host), serves it")] }
    return [result(.ok, "\(role.serving) serves it; this host, \(host), does not")]
  }
}
