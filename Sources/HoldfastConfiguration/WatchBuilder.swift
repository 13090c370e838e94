internal import HoldfastModel

extension SettingsBuilder {
  /// Returns the values below `watch`, and notes what cannot be.
  mutating func watch(_ way: [String]) -> WatchSettings {
    func span(_ key: [String]) -> TimeSpan? {
      text(schema.source, way + ["watch"] + key).flatMap { TimeSpan($0) }
    }
    var made = WatchSettings()
    made.minInterval = span(["min-interval"]) ?? made.minInterval
    made.maxInterval = span(["max-interval"]) ?? max(made.minInterval, made.maxInterval)
    made.quiet = span(["quiet"]) ?? made.quiet
    made.first = span(["levels", "first"]) ?? made.first
    made.second = span(["levels", "second"]) ?? max(made.first, made.second)
    made.differential = span(["levels", "differential"]) ?? made.differential
    made.merge = span(["levels", "merge"]) ?? made.merge
    made.heartbeat = span(["heartbeat"]) ?? made.heartbeat
    made.lease = span(["lease"]) ?? max(made.lease, made.heartbeat * 6)
    let place = [way + ["watch"], [Schema.defaults, "watch"]].first { findings.sections[$0] != nil } ?? way
    if made.maxInterval < made.minInterval {
      note(
        place, "max-interval is \(made.maxInterval), which is less than min-interval, \(made.minInterval)",
        hint: "A change waits for max-interval at most: say more.")
    }
    if made.second < made.first {
      note(
        place, "the second of its levels is \(made.second), which is less than the first, \(made.first)",
        hint: "Increments of the first are merged into one of the second: say more.")
    }
    if made.heartbeat < .seconds(1) || made.lease < made.heartbeat * 3 || made.lease > .hours(1) {
      note(
        place, "a lease of \(made.lease) with a heartbeat every \(made.heartbeat) cannot be kept",
        hint: "A heartbeat takes 1s at least, and a lease three heartbeats at least and 1h at most.")
    }
    return made
  }
}
