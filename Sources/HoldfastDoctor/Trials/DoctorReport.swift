package import HoldfastModel

/// The results of `check` on a whole installation.
package struct DoctorReport: Sendable {
  /// In the order in which they are shown.
  package let results: [TrialResult]

  package init(_ results: [TrialResult]) { self.results = results }

  /// The worst verdict; `ok` if nothing was tried.
  package var verdict: TrialVerdict { max(.ok, results.map(\.verdict).max() ?? .ok) }

  package func count(_ verdict: TrialVerdict) -> Int { results.count { $0.verdict == verdict } }

  package var exitStatus: ExitStatus {
    switch verdict {
    case .ok, .notTried: .done
    case .warning: .incomplete
    case .failed: .objectiveMissed
    }
  }
}
