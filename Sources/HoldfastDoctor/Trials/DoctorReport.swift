package import HoldfastModel

/// The results of `check` on a whole installation.
package struct DoctorReport: Sendable {
  /// In the order in which they are shown.
  package let results: [TrialResult]

  package init(_ results: [TrialResult]) { self.results = results }

  /// The worst verdict; `notTried` if nothing could be tried.
  package var verdict: TrialVerdict { results.map(\.verdict).max() ?? .notTried }

  package func count(_ verdict: TrialVerdict) -> Int { results.count { $0.verdict == verdict } }

  package var exitStatus: ExitStatus {
    switch verdict {
    case .ok: .done
    // Nothing is known to be well.
    case .warning, .notTried: .incomplete
    case .failed: .objectiveMissed
    }
  }
}
