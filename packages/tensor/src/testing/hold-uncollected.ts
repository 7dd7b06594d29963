/** Setup of test files that share a process: nothing that one of them leaves undisposed is collected while another counts. */
import { holdUncollected } from "../collected.js";

holdUncollected(true);
