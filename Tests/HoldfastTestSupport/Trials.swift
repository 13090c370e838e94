internal import Glibc

/// The number of cases that are tried of a test with many equal ones. By day it is some, which are drawn anew in every
/// run, so that each is tried at some time; at night, when `HOLDFAST_TESTS_LONGER` is set (`Scripts/test --all`), it is
/// all of them.
package enum Trials {
  package static let areAll = getenv("HOLDFAST_TESTS_LONGER") != nil

  /// Returns the indices below `count` at which a fault is tried: by day the first, the last, and one in `share` of the
  /// others.
  package static func places(_ count: Int, oneIn share: Int = 8) -> [Int] {
    if areAll { return Array(0..<count) }
    let drawn = stride(from: Int.random(in: 0..<share), to: count, by: share)
    return Set(drawn).union([0, count - 1].filter { (0..<count).contains($0) }).sorted()
  }

  /// Returns new seeds: `byDay` of them by day, `atNight` at night. `HOLDFAST_TESTS_SEEDS` names seeds, separated by
  /// commas, by which a failure is seen again.
  package static func seeds(byDay: Int, atNight: Int) -> [UInt64] {
    if let given = getenv("HOLDFAST_TESTS_SEEDS") {
      return String(cString: given).split(separator: ",").compactMap { UInt64($0) }
    }
    return newSeeds(areAll ? atNight : byDay)
  }

  private static func newSeeds(_ count: Int) -> [UInt64] {
    (0..<count).map { _ in UInt64.random(in: 0 ... .max) }
  }

  /// Returns the first `byDay` cases by day, and all of them at night.
  package static func first<Case>(_ byDay: Int, of all: [Case]) -> [Case] { areAll ? all : Array(all.prefix(byDay)) }
}
