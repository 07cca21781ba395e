import OpenStack
import Testing

@Suite struct CloudTests {
  @Test func `a cloud renders as its name`() { #expect("\(CloudName("prod"))" == "prod") }
}
