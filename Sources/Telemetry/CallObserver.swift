package protocol CallObserver: Sendable {
  func callBegan(_ method: String)
  func callEnded(_ method: String, code: String, seconds: Double)
}
