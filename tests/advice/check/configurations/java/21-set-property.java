Properties p = new Properties();
p.setProperty("bootstrap.servers", "b:9092");
p.setProperty("acks", "0");
p.setProperty("linger.ms", String.valueOf(50));
p.setProperty("buffer.memory", "64000000");
